import { useList, useOne } from "../../api/queries";
import type { Group } from "../../api/types";
import { useConfirmedWrite } from "../../parts/confirmedWrite";
import { DrawerActions } from "../../parts/DrawerActions";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { usePlace } from "../../parts/path";
import { PolicyRows } from "../../parts/PolicyRows";
import { text } from "../../text";
import { GroupForm } from "./GroupForm";
import { GroupMembers } from "./GroupMembers";

function Details({ group, etag }: { group: Group; etag: string | null }) {
  const { open, close } = usePlace();
  const confirmedWrite = useConfirmedWrite();
  const policies = useList("policies", { group_id: group.id, limit: 100 });

  async function remove(): Promise<void> {
    const question = { title: text.groups.removeTitle(group.name), words: text.groups.removeText(group.actors) };
    if (await confirmedWrite(question, { method: "DELETE", path: `/groups/${group.id}`, etag })) close();
  }

  return (
    <>
      <DrawerActions
        onEdit={() => {
          open(group.id, "edit");
        }}
        onRemove={() => {
          void remove();
        }}
      />
      <GroupMembers group={group} />
      <PolicyRows
        title={text.groups.policies}
        none={text.groups.noPolicies}
        policies={policies.data?.data}
        problem={policies.error}
        nameOf={(policy) => policy.resource.name}
        addPath={`/policies/new?group=${group.id}`}
      />
    </>
  );
}

export function GroupDrawer({ id }: { id: string }) {
  const { mode, open, close } = usePlace();
  const { data } = useOne("groups", id);
  if (mode === "edit" && data) {
    return <GroupForm group={data.object} etag={data.etag} onClose={close} onSaved={open} />;
  }
  return (
    <LoadedDrawer kind="groups" word={text.groups.one} id={id} titleOf={({ name }) => name} onClose={close}>
      {(group, etag) => <Details group={group} etag={etag} />}
    </LoadedDrawer>
  );
}
