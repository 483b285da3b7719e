import { Button, Group, Modal } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { text } from "../text";

export interface Question {
  title: string;
  /** What will happen. */
  words: string;
  action: string;
  isDangerous?: boolean;
}

interface Asked extends Question {
  answer: (yes: boolean) => void;
}

let asked: Asked | null = null;
const listeners = new Set<() => void>();

function ask(next: Asked | null): void {
  asked = next;
  listeners.forEach((listener) => {
    listener();
  });
}

/** Asks before something is done; true if the person wants it. */
export function confirm(question: Question): Promise<boolean> {
  asked?.answer(false);
  return new Promise((answer) => {
    ask({ ...question, answer });
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function ConfirmDialog() {
  const question = useSyncExternalStore(subscribe, () => asked);
  function close(yes: boolean): void {
    question?.answer(yes);
    ask(null);
  }
  return (
    <Modal
      opened={question !== null}
      onClose={() => {
        close(false);
      }}
      title={question?.title}
      lockScroll={false}
      centered
      zIndex={400}
      closeButtonProps={{ "aria-label": text.common.close }}
    >
      <p className="confirm-words">{question?.words}</p>
      <Group justify="flex-end">
        <Button
          variant="default"
          data-autofocus
          onClick={() => {
            close(false);
          }}
        >
          {text.common.cancel}
        </Button>
        <Button
          {...(question?.isDangerous ? { color: "red" } : {})}
          onClick={() => {
            close(true);
          }}
        >
          {question?.action}
        </Button>
      </Group>
    </Modal>
  );
}
