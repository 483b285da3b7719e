import { Button, TextInput } from "@mantine/core";
import { useList, useWrite } from "../../api/queries";
import type { Site } from "../../api/types";
import { useForm } from "../../parts/form";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

/** A site that is there already, or a new one. */
export function SiteStep({ onDone }: { onDone: (id: string) => void }) {
  const sites = useList("sites", { limit: 5 });
  const write = useWrite<Site>();
  const form = useForm({ name: "" });
  return (
    <>
      {sites.data?.data.map((site) => (
        <Button
          key={site.id}
          variant="default"
          className="choice"
          onClick={() => {
            onDone(site.id);
          }}
        >
          {text.first.site.use(site.name)}
        </Button>
      ))}
      <form
        className="beside"
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(async () => {
            onDone((await write.mutateAsync({ method: "POST", path: "/sites", body: { site: form.values } })).id);
          });
        }}
      >
        <TextInput label={text.first.site.name} required {...form.input("name")} />
        <Button type="submit" loading={form.isBusy}>
          {text.first.site.create}
        </Button>
      </form>
      <ProblemAlert problem={form.error("name") ? null : form.problem} />
    </>
  );
}
