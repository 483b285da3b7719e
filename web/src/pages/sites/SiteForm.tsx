import { TextInput } from "@mantine/core";
import { useWrite } from "../../api/queries";
import type { Site } from "../../api/types";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

interface Props {
  site?: Site;
  etag?: string | null;
  onClose: () => void;
  onSaved: (id: string) => void;
}

export function SiteForm({ site, etag = null, onClose, onSaved }: Props) {
  const write = useWrite<Site>();
  const form = useForm({ name: site?.name ?? "" });

  return (
    <ObjectDrawer kind={text.sites.one} title={site?.name ?? text.sites.add} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(async () => {
            const saved = await write.mutateAsync(
              site
                ? { method: "PATCH", path: `/sites/${site.id}`, body: { site: form.values }, etag }
                : { method: "POST", path: "/sites", body: { site: form.values } },
            );
            onSaved(saved.id);
          });
        }}
      >
        <ProblemAlert problem={form.problem} shown={["name"]} />
        <TextInput label={text.sites.name} required data-autofocus {...form.input("name")} />
        <FormButtons isNew={!site} isBusy={form.isBusy} onCancel={onClose} />
      </form>
    </ObjectDrawer>
  );
}
