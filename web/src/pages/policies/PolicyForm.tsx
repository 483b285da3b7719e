import { Switch, TextInput } from "@mantine/core";
import { useSearchParams } from "wouter";
import { useWrite } from "../../api/queries";
import type { Policy } from "../../api/types";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { ObjectSelect } from "../../parts/ObjectSelect";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";
import { ConditionFields } from "./ConditionFields";
import { conditionsOf, draftOf } from "./conditions";

interface Props {
  policy?: Policy;
  etag?: string | null;
  onClose: () => void;
  onSaved: (id: string) => void;
}

const FIELDS = ["group_id", "resource_id", "description", "conditions"];

export function PolicyForm({ policy, etag = null, onClose, onSaved }: Props) {
  const write = useWrite<Policy>();
  // Links from groups and resources bring theirs along.
  const [params] = useSearchParams();
  const form = useForm({
    group_id: policy?.group.id ?? params.get("group"),
    resource_id: policy?.resource.id ?? params.get("resource"),
    description: policy?.description ?? "",
    is_disabled: policy?.is_disabled ?? false,
    conditions: draftOf(policy?.conditions ?? [], Intl.DateTimeFormat().resolvedOptions().timeZone),
  });

  async function save(): Promise<void> {
    const body = {
      policy: {
        ...form.values,
        description: form.values.description.trim() || null,
        conditions: conditionsOf(form.values.conditions),
      },
    };
    const saved = await write.mutateAsync(
      policy
        ? { method: "PATCH", path: `/policies/${policy.id}`, body, etag }
        : { method: "POST", path: "/policies", body },
    );
    onSaved(saved.id);
  }

  const title = policy ? text.policies.may(policy.group.name, policy.resource.name) : text.policies.add;
  return (
    <ObjectDrawer kind={text.policies.one} title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(save);
        }}
      >
        <ProblemAlert problem={form.problem} shown={FIELDS} />
        <ObjectSelect
          kind="groups"
          label={text.policies.group}
          value={form.values.group_id}
          onChange={(id) => {
            form.set("group_id", id);
          }}
          isRequired
          error={form.error("group_id")}
        />
        <ObjectSelect
          kind="resources"
          label={text.policies.resource}
          value={form.values.resource_id}
          onChange={(id) => {
            form.set("resource_id", id);
          }}
          isRequired
          error={form.error("resource_id")}
        />
        <TextInput label={text.policies.description} {...form.input("description")} />
        <ConditionFields
          draft={form.values.conditions}
          onChange={(draft) => {
            form.set("conditions", draft);
          }}
          error={form.error("conditions")?.replace(/^\[[^:]*: /, "")}
        />
        <Switch
          label={text.policies.enabled}
          description={text.policies.disabledHelp}
          checked={!form.values.is_disabled}
          onChange={(event) => {
            form.set("is_disabled", !event.currentTarget.checked);
          }}
        />
        <FormButtons isNew={!policy} isBusy={form.isBusy} onCancel={onClose} />
      </form>
    </ObjectDrawer>
  );
}
