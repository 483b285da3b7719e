import { Button } from "@mantine/core";
import type { Client } from "../api/types";
import { text } from "../text";
import { useConfirmedWrite } from "./confirmedWrite";

/** That an administrator knows this very machine, as conditions of policies may demand. */
export function VerificationButton({ client }: { client: Client }) {
  const confirmedWrite = useConfirmedWrite();
  const isVerified = client.verified_at !== null;

  async function toggle(): Promise<void> {
    const question = isVerified
      ? {
          title: text.clients.unverifyTitle(client.name),
          words: text.clients.unverifyText,
          action: text.clients.unverify,
        }
      : {
          title: text.clients.verifyTitle(client.name),
          words: text.clients.verifyText,
          action: text.clients.verify,
          isDangerous: false,
        };
    const path = `/clients/${client.id}/${isVerified ? "unverify" : "verify"}`;
    await confirmedWrite(question, { method: "PUT", path }, text.common.saved);
  }

  return (
    <Button
      size="xs"
      variant="default"
      onClick={() => {
        void toggle();
      }}
    >
      {isVerified ? text.clients.unverify : text.clients.verify}
    </Button>
  );
}
