import { TextInput } from "@mantine/core";
import { useWrite } from "../../api/queries";
import type { Group } from "../../api/types";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

interface Props {
  group?: Group;
  etag?: string | null;
  onClose: () => void;
  onSaved: (id: string) => void;
}

export function GroupForm({ group, etag = null, onClose, onSaved }: Props) {
  const write = useWrite<Group>();
  const form = useForm({ name: group?.name ?? "" });

  return (
    <ObjectDrawer kind={text.groups.one} title={group?.name ?? text.groups.add} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(async () => {
            const saved = await write.mutateAsync(
              group
                ? { method: "PATCH", path: `/groups/${group.id}`, body: { group: form.values }, etag }
                : { method: "POST", path: "/groups", body: { group: form.values } },
            );
            onSaved(saved.id);
          });
        }}
      >
        <ProblemAlert problem={form.problem} shown={["name"]} />
        <TextInput label={text.groups.name} required data-autofocus {...form.input("name")} />
        <FormButtons isNew={!group} isBusy={form.isBusy} onCancel={onClose} />
      </form>
    </ObjectDrawer>
  );
}
