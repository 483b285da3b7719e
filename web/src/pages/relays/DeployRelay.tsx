import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { useNewToken } from "../../api/newToken";
import { CommandBox } from "../../parts/CommandBox";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Waiting } from "../../parts/Waiting";
import { text } from "../../text";

export function DeployRelay({ onClose }: { onClose: () => void }) {
  const token = useNewToken("/relay_tokens");
  const [address, setAddress] = useState("");
  return (
    <ObjectDrawer kind={text.relays.one} title={text.relays.add} onClose={onClose}>
      <p>{text.relays.addLead}</p>
      <ProblemAlert problem={token.problem} />
      {token.made ? (
        <>
          <CommandBox
            binary="culvert-relay"
            token={token.made.token}
            environment={{
              [address.includes(":") ? "PUBLIC_IP6_ADDR" : "PUBLIC_IP4_ADDR"]: address.trim(),
            }}
          />
          <Waiting kind="relays" query={{}} />
        </>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            token.make();
          }}
        >
          <TextInput
            label={text.relays.publicAddress}
            placeholder="203.0.113.7"
            required
            data-autofocus
            value={address}
            onChange={(event) => {
              setAddress(event.currentTarget.value);
            }}
          />
          <Button type="submit" mt="md" loading={token.isBusy}>
            {text.first.gateway.make}
          </Button>
        </form>
      )}
    </ObjectDrawer>
  );
}
