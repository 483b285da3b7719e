import { useWrite } from "../../api/queries";
import type { Resource } from "../../api/types";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { text } from "../../text";
import { letsNothingThrough } from "./filters";
import { ResourceFields } from "./ResourceFields";
import { bodyOf, draftOf } from "./draft";

interface Props {
  resource?: Resource;
  etag?: string | null;
  onClose: () => void;
  onSaved: (id: string) => void;
}

export function ResourceForm({ resource, etag = null, onClose, onSaved }: Props) {
  const write = useWrite<Resource>();
  const form = useForm(draftOf(resource));

  async function save(): Promise<void> {
    const body = { resource: bodyOf(form.values) };
    const saved = await write.mutateAsync(
      resource
        ? { method: "PATCH", path: `/resources/${resource.id}`, body, etag }
        : { method: "POST", path: "/resources", body },
    );
    onSaved(saved.id);
  }

  return (
    <ObjectDrawer kind={text.resources.one} title={resource?.name ?? text.resources.add} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!letsNothingThrough(form.values.traffic)) void form.submit(save);
        }}
      >
        <ResourceFields form={form} isNew={!resource} />
        <FormButtons isNew={!resource} isBusy={form.isBusy} onCancel={onClose} />
      </form>
    </ObjectDrawer>
  );
}
