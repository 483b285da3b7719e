import { Button, Group } from "@mantine/core";
import type { ReactNode } from "react";
import { text } from "../text";

interface Props {
  onEdit?: () => void;
  onRemove?: () => void;
  removeLabel?: string;
  children?: ReactNode;
}

/** What can be done with the object of a drawer; what destroys it comes last. */
export function DrawerActions({ onEdit, onRemove, removeLabel = text.common.remove, children }: Props) {
  return (
    <Group gap="xs" mb="md">
      {onEdit && (
        <Button size="xs" variant="default" onClick={onEdit}>
          {text.common.edit}
        </Button>
      )}
      {children}
      {onRemove && (
        <Button size="xs" variant="default" className="dangerous" onClick={onRemove}>
          {removeLabel}
        </Button>
      )}
    </Group>
  );
}
