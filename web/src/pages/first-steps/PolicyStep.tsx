import { Button, Group } from "@mantine/core";
import { useState } from "react";
import { useList, useWrite } from "../../api/queries";
import type { Group as ActorGroup, Policy } from "../../api/types";
import { useForm } from "../../parts/form";
import { ObjectSelect } from "../../parts/ObjectSelect";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";
import { GroupMembers } from "../groups/GroupMembers";

interface Props {
  resourceId: string | null;
  onDone: () => void;
}

/** Who may reach the resource: a group, which is made here if there is none yet. */
export function PolicyStep({ resourceId, onDone }: Props) {
  const groups = useList("groups", { limit: 100 });
  const policies = useList("policies", { resource_id: resourceId, limit: 100 }, resourceId !== null);
  const writeGroup = useWrite<ActorGroup>();
  const write = useWrite<Policy>();
  const [groupId, setGroupId] = useState<string | null>(null);
  const form = useForm({ resource_id: resourceId });
  const group = groups.data?.data.find(({ id }) => id === groupId);
  const isAllowed = policies.data?.data.some((policy) => policy.group.id === groupId && !policy.is_disabled) ?? false;

  async function makeGroup(): Promise<void> {
    const body = { group: { name: text.first.policy.groupName } };
    setGroupId((await writeGroup.mutateAsync({ method: "POST", path: "/groups", body })).id);
  }

  async function allow(): Promise<void> {
    if (!isAllowed) {
      const body = { policy: { group_id: groupId, resource_id: form.values.resource_id } };
      await write.mutateAsync({ method: "POST", path: "/policies", body });
    }
    onDone();
  }

  return (
    <>
      <ProblemAlert problem={form.problem ?? writeGroup.error} />
      {groups.data?.data.length === 0 && (
        <Button
          variant="default"
          className="choice"
          loading={writeGroup.isPending}
          onClick={() => {
            void makeGroup().catch(() => undefined);
          }}
        >
          {text.first.policy.makeGroup}
        </Button>
      )}
      <ObjectSelect kind="groups" label={text.policies.group} value={groupId} onChange={setGroupId} isRequired />
      <ObjectSelect
        kind="resources"
        label={text.policies.resource}
        value={form.values.resource_id}
        onChange={(id) => {
          form.set("resource_id", id);
        }}
        isRequired
      />
      {group && <GroupMembers group={group} />}
      <Group justify="flex-end" mt="md">
        <Button
          disabled={!groupId || !form.values.resource_id}
          loading={form.isBusy}
          onClick={() => {
            void form.submit(allow);
          }}
        >
          {isAllowed ? text.first.next : text.first.policy.allow}
        </Button>
      </Group>
    </>
  );
}
