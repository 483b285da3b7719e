import { Button } from "@mantine/core";
import { useOne } from "../../api/queries";
import type { Policy } from "../../api/types";
import { useConfirmedWrite } from "../../parts/confirmedWrite";
import { DrawerActions } from "../../parts/DrawerActions";
import { Facts, ObjectLink, Status } from "../../parts/facts";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { usePlace } from "../../parts/path";
import { RecentFlows } from "../../parts/RecentFlows";
import { text } from "../../text";
import { PolicyForm } from "./PolicyForm";
import { conditionWords } from "./words";

const titleOf = (policy: Policy) => text.policies.may(policy.group.name, policy.resource.name);

function Details({ policy, etag }: { policy: Policy; etag: string | null }) {
  const { open, close } = usePlace();
  const confirmedWrite = useConfirmedWrite();
  const path = `/policies/${policy.id}`;

  async function remove(): Promise<void> {
    const words = text.policies.removeText(policy.group.name, policy.resource.name);
    if (await confirmedWrite({ title: text.policies.removeTitle, words }, { method: "DELETE", path, etag })) close();
  }

  async function toggle(): Promise<void> {
    const question = policy.is_disabled
      ? {
          title: `${text.policies.turnOn}?`,
          words: titleOf(policy),
          action: text.policies.turnOn,
          isDangerous: false,
        }
      : {
          title: text.policies.offTitle,
          words: text.policies.offText(policy.group.name, policy.resource.name),
          action: text.policies.turnOff,
        };
    const body = { policy: { is_disabled: !policy.is_disabled } };
    await confirmedWrite(question, { method: "PATCH", path, body, etag }, text.common.saved);
  }

  return (
    <>
      <DrawerActions
        onEdit={() => {
          open(policy.id, "edit");
        }}
        onRemove={() => {
          void remove();
        }}
      >
        <Button
          size="xs"
          variant="default"
          onClick={() => {
            void toggle();
          }}
        >
          {policy.is_disabled ? text.policies.turnOn : text.policies.turnOff}
        </Button>
      </DrawerActions>
      <Facts
        facts={[
          [text.policies.group, <ObjectLink kind="groups" object={policy.group} />],
          [text.policies.resource, <ObjectLink kind="resources" object={policy.resource} />],
          [
            text.policies.status,
            <Status
              isGood={!policy.is_disabled}
              words={policy.is_disabled ? text.policies.disabled : text.policies.enabled}
            />,
          ],
          [text.policies.conditions, conditionWords(policy.conditions)],
          [text.policies.description, policy.description],
        ]}
      />
      <RecentFlows query={{ policy_id: policy.id }} without="none" />
    </>
  );
}

export function PolicyDrawer({ id }: { id: string }) {
  const { mode, open, close } = usePlace();
  const { data } = useOne("policies", id);
  if (mode === "edit" && data) {
    return <PolicyForm policy={data.object} etag={data.etag} onClose={close} onSaved={open} />;
  }
  return (
    <LoadedDrawer kind="policies" word={text.policies.one} id={id} titleOf={titleOf} onClose={close}>
      {(policy, etag) => <Details policy={policy} etag={etag} />}
    </LoadedDrawer>
  );
}
