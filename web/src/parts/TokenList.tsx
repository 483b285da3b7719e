import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { useWrite } from "../api/queries";
import type { Token } from "../api/types";
import { text } from "../text";
import { confirm } from "./confirm";
import { When } from "./facts";
import { notify } from "./notice";
import { ProblemAlert } from "./ProblemAlert";
import { Section } from "./Section";

interface Props {
  title?: string;
  /** Where the tokens stand in the API, such as `/sites/:id/tokens`. */
  path: string;
  tokens: readonly Token[] | undefined;
  problem: unknown;
  action?: ReactNode;
  canRevokeAll?: boolean;
}

/** Tokens without their secrets, and how to make them worthless. */
export function TokenList({ title = text.token.tokens, path, tokens, problem, action, canRevokeAll = true }: Props) {
  const write = useWrite();
  const [refusal, setRefusal] = useState<unknown>(null);

  async function revoke(which: Token | null): Promise<void> {
    const yes = await confirm({
      title: which ? text.token.revokeTitle : text.token.revokeAllTitle,
      words: which ? text.token.revokeText : text.token.revokeAllText,
      action: which ? text.token.revoke : text.token.revokeAll,
      isDangerous: true,
    });
    if (!yes) return;
    try {
      await write.mutateAsync({ method: "DELETE", path: which ? `${path}/${which.id}` : path });
      notify(text.token.revoked);
      setRefusal(null);
    } catch (caught) {
      setRefusal(caught);
    }
  }

  return (
    <Section title={title} action={action}>
      <ProblemAlert problem={problem ?? refusal} />
      {tokens?.length === 0 && <p className="dimmed">{text.token.none}</p>}
      <ul className="rows">
        {tokens?.map((token) => (
          <li key={token.id}>
            <div>
              <strong>{token.name ?? text.token.unnamed}</strong>
              <div className="dimmed small">
                {text.token.created} <When at={token.created_at} /> · {text.token.used}{" "}
                <When at={token.last_used_at} otherwise={text.token.neverUsed} />
                {token.expires_at !== undefined && (
                  <>
                    {" "}
                    · {text.token.expires} <When at={token.expires_at} otherwise={text.token.never} />
                  </>
                )}
              </div>
            </div>
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                void revoke(token);
              }}
            >
              {text.token.revoke}
            </Button>
          </li>
        ))}
      </ul>
      {canRevokeAll && (tokens?.length ?? 0) > 1 && (
        <Button
          size="xs"
          variant="subtle"
          color="red"
          onClick={() => {
            void revoke(null);
          }}
        >
          {text.token.revokeAll}
        </Button>
      )}
    </Section>
  );
}
