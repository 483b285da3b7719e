import { Button } from "@mantine/core";
import { useState } from "react";
import { useTokens } from "../../api/queries";
import type { Actor } from "../../api/types";
import { TokenList } from "../../parts/TokenList";
import { text } from "../../text";
import { NewActorToken } from "./NewActorToken";

export function ActorTokens({ actor }: { actor: Actor }) {
  const tokens = useTokens("actors", actor.id);
  const [isMaking, setMaking] = useState(false);
  return (
    <>
      <TokenList
        path={`/actors/${actor.id}/tokens`}
        tokens={tokens.data?.data}
        problem={tokens.error}
        canRevokeAll={false}
        action={
          !isMaking && (
            <Button
              size="xs"
              onClick={() => {
                setMaking(true);
              }}
            >
              {actor.type === "api_client" ? text.token.add : text.actors.connect}
            </Button>
          )
        }
      />
      {isMaking && (
        <NewActorToken
          actor={actor}
          onClose={() => {
            setMaking(false);
          }}
        />
      )}
    </>
  );
}
