import { ActionIcon, Button } from "@mantine/core";
import { useState } from "react";
import { useSublist, useWrite } from "../../api/queries";
import type { Actor, Group } from "../../api/types";
import { useConfirmedWrite } from "../../parts/confirmedWrite";
import { ObjectLink } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { ObjectSelect } from "../../parts/ObjectSelect";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Section } from "../../parts/Section";
import { text } from "../../text";

export function GroupMembers({ group }: { group: Group }) {
  const path = `/groups/${group.id}/memberships`;
  const members = useSublist<Pick<Actor, "id" | "name" | "type">>("groups", group.id, "memberships");
  const write = useWrite();
  const confirmedWrite = useConfirmedWrite();
  const [chosen, setChosen] = useState<string | null>(null);

  async function add(): Promise<void> {
    if (!chosen) return;
    await write.mutateAsync({ method: "PATCH", path, body: { memberships: { add: [chosen], remove: [] } } });
    setChosen(null);
  }

  function takeOut(member: { id: string; name: string }): void {
    void confirmedWrite(
      {
        title: text.groups.takeOutTitle(member.name, group.name),
        words: text.groups.takeOutText,
        action: text.groups.takeOutAction,
      },
      { method: "PATCH", path, body: { memberships: { add: [], remove: [member.id] } } },
      text.common.saved,
    );
  }

  return (
    <Section title={text.groups.members}>
      <ProblemAlert problem={members.error ?? write.error} />
      {members.data?.data.length === 0 && <p className="dimmed">{text.groups.noMembers}</p>}
      <ul className="rows">
        {members.data?.data.map((member) => (
          <li key={member.id}>
            <ObjectLink kind="actors" object={member} />
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={text.groups.takeOut(member.name)}
              onClick={() => {
                takeOut(member);
              }}
            >
              <Icon name="cross" size={14} />
            </ActionIcon>
          </li>
        ))}
      </ul>
      <form
        className="beside"
        onSubmit={(event) => {
          event.preventDefault();
          void add().catch(() => undefined);
        }}
      >
        <ObjectSelect
          kind="actors"
          label={text.groups.addMember}
          value={chosen}
          onChange={setChosen}
          without={members.data?.data.map(({ id }) => id) ?? []}
        />
        <Button type="submit" variant="default" disabled={!chosen} loading={write.isPending}>
          {text.actors.add}
        </Button>
      </form>
    </Section>
  );
}
