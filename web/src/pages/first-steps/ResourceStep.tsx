import { Button, Group } from "@mantine/core";
import { useList, useWrite } from "../../api/queries";
import type { Resource } from "../../api/types";
import { useForm } from "../../parts/form";
import { text } from "../../text";
import { bodyOf, draftOf } from "../resources/draft";
import { letsNothingThrough } from "../resources/filters";
import { ResourceFields } from "../resources/ResourceFields";

interface Props {
  siteId: string | null;
  onDone: (id: string) => void;
}

export function ResourceStep({ siteId, onDone }: Props) {
  const resources = useList("resources", { limit: 5 });
  const write = useWrite<Resource>();
  const form = useForm({ ...draftOf(undefined), site: siteId });

  async function create(): Promise<void> {
    const body = { resource: bodyOf(form.values) };
    onDone((await write.mutateAsync({ method: "POST", path: "/resources", body })).id);
  }

  return (
    <>
      {resources.data?.data.map((resource) => (
        <Button
          key={resource.id}
          variant="default"
          className="choice"
          onClick={() => {
            onDone(resource.id);
          }}
        >
          {text.first.site.use(resource.name)}
        </Button>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!letsNothingThrough(form.values.traffic)) void form.submit(create);
        }}
      >
        <ResourceFields form={form} isNew />
        <Group justify="flex-end" mt="md">
          <Button type="submit" loading={form.isBusy}>
            {text.resources.add}
          </Button>
        </Group>
      </form>
    </>
  );
}
