import { Badge, Button } from "@mantine/core";
import { Link } from "wouter";
import { useWrite } from "../../api/queries";
import type { Resource } from "../../api/types";
import { forEachOf } from "../../parts/bulk";
import { confirm } from "../../parts/confirm";
import type { Column } from "../../parts/DataTable";
import { Peek, Status } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { ResourceDrawer } from "./ResourceDrawer";
import { ResourceForm } from "./ResourceForm";

const columns: Column<Resource>[] = [
  {
    accessorKey: "name",
    header: text.resources.name,
    cell: ({ row: { original } }) => (
      <Link href={`/resources/${original.id}`} className="row-name">
        {original.name}
      </Link>
    ),
  },
  {
    accessorKey: "type",
    header: text.resources.type,
    cell: ({ row: { original } }) => (
      <Badge variant="light" color="gray" radius="sm">
        {text.resources.types[original.type]}
      </Badge>
    ),
  },
  { accessorKey: "address", header: text.resources.address },
  {
    id: "sites",
    header: text.resources.sites,
    enableSorting: false,
    cell: ({ row: { original } }) =>
      original.type === "static_device_pool" ? null : (
        <Peek kind="sites" objects={original.sites} none={<Status isGood={false} isBad words={text.common.none} />} />
      ),
  },
  {
    id: "groups",
    header: text.resources.groups,
    enableSorting: false,
    cell: ({ row: { original } }) => (
      <Peek kind="groups" objects={original.groups} none={<Status isGood={false} words={text.resources.nobody} />} />
    ),
  },
];

export default function ResourcesPage() {
  const { id, open, close, navigate } = usePlace();
  const write = useWrite();

  async function remove(resources: Resource[]): Promise<void> {
    const yes = await confirm({
      title: text.resources.removeTitle(resources.map(({ name }) => name).join(", ")),
      words: text.resources.removeText,
      action: text.common.remove,
      isDangerous: true,
    });
    if (!yes) return;
    await forEachOf(
      resources,
      (resource) => write.mutateAsync({ method: "DELETE", path: `/resources/${resource.id}` }),
      text.common.deleted,
    );
  }

  return (
    <ListPage
      kind="resources"
      icon="resources"
      title={text.resources.title}
      lead={text.resources.lead}
      columns={columns}
      nameOf={(resource) => resource.name}
      onOpen={(resource) => {
        open(resource.id);
      }}
      bulk={[{ label: text.common.remove, isDangerous: true, run: remove }]}
      action={
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => {
            open("new");
          }}
        >
          {text.resources.add}
        </Button>
      }
      empty={{ title: text.resources.emptyTitle, words: text.resources.emptyText }}
    >
      {id === "new" && (
        <ResourceForm
          onClose={close}
          onSaved={(created) => {
            navigate(`/policies/new?resource=${created}`);
          }}
        />
      )}
      {id && id !== "new" && <ResourceDrawer key={id} id={id} />}
    </ListPage>
  );
}
