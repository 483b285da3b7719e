import { Button, Group, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { useNewToken } from "../../api/newToken";
import type { Actor } from "../../api/types";
import { CommandBox } from "../../parts/CommandBox";
import { CopyField } from "../../parts/CopyField";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Waiting } from "../../parts/Waiting";
import { text } from "../../text";
import { expiry, LIFETIMES } from "./lifetimes";

/** A token for a device or program, shown once with what to do with it. */
export function NewActorToken({ actor, onClose }: { actor: Actor; onClose: () => void }) {
  const token = useNewToken(`/actors/${actor.id}/tokens`);
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");

  if (token.made) {
    return (
      <div className="panel">
        {actor.type === "api_client" ? (
          <>
            <CopyField value={token.made.token} label={text.token.token} />
            <p className="dimmed small">{text.token.once}</p>
          </>
        ) : (
          <>
            <p>{text.actors.connectLead}</p>
            <CommandBox binary="culvert-client" token={token.made.token} />
            <Waiting kind="clients" query={{ actor_id: actor.id }} />
          </>
        )}
        <Button variant="default" size="xs" onClick={onClose}>
          {text.common.close}
        </Button>
      </div>
    );
  }
  return (
    <form
      className="panel"
      onSubmit={(event) => {
        event.preventDefault();
        const expires_at = expiry(Number(days), Date.now());
        token.make({ token: { name: name.trim() || null, expires_at } });
      }}
    >
      <ProblemAlert problem={token.problem} />
      <TextInput
        label={text.token.name}
        value={name}
        onChange={(event) => {
          setName(event.currentTarget.value);
        }}
      />
      <Select
        label={text.token.lifetime}
        data={LIFETIMES.map((each) => ({
          value: String(each),
          label: each === 365 ? text.token.year : text.token.days(each),
        }))}
        value={days}
        onChange={(value) => {
          if (value) setDays(value);
        }}
        allowDeselect={false}
        comboboxProps={{ zIndex: 500 }}
      />
      <Group justify="flex-end">
        <Button variant="default" size="xs" onClick={onClose}>
          {text.common.cancel}
        </Button>
        <Button type="submit" size="xs" loading={token.isBusy}>
          {text.token.add}
        </Button>
      </Group>
    </form>
  );
}
