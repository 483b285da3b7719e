import { Badge, Button } from "@mantine/core";
import { Link } from "wouter";
import { useWrite } from "../../api/queries";
import type { Actor } from "../../api/types";
import { forEachOf } from "../../parts/bulk";
import { confirm } from "../../parts/confirm";
import type { Column } from "../../parts/DataTable";
import { Peek } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { ActorDrawer } from "./ActorDrawer";
import { ActorForm } from "./ActorForm";

const columns: Column<Actor>[] = [
  {
    accessorKey: "name",
    header: text.actors.name,
    cell: ({ row: { original } }) => (
      <Link href={`/actors/${original.id}`} className="row-name">
        {original.name}
      </Link>
    ),
  },
  {
    accessorKey: "type",
    header: text.actors.type,
    cell: ({ row: { original } }) => (
      <Badge variant="light" {...(original.type === "account_admin_user" ? {} : { color: "gray" })} radius="sm">
        {original.is_disabled ? text.actors.disabled : text.actors.types[original.type]}
      </Badge>
    ),
  },
  { accessorKey: "email", header: text.actors.email },
  {
    id: "groups",
    header: text.actors.groups,
    enableSorting: false,
    cell: ({ row: { original } }) => <Peek kind="groups" objects={original.groups} none={text.common.none} />,
  },
  { accessorKey: "clients", header: text.actors.clients },
];

export default function ActorsPage() {
  const { id, open, close } = usePlace();
  const write = useWrite();

  async function remove(actors: Actor[]): Promise<void> {
    const clients = actors.reduce((sum, actor) => sum + actor.clients, 0);
    const yes = await confirm({
      title: text.actors.removeTitle(actors.map(({ name }) => name).join(", ")),
      words: text.actors.removeText(clients),
      action: text.common.remove,
      isDangerous: true,
    });
    if (!yes) return;
    await forEachOf(
      actors,
      (actor) => write.mutateAsync({ method: "DELETE", path: `/actors/${actor.id}` }),
      text.common.deleted,
    );
  }

  return (
    <ListPage
      kind="actors"
      icon="actors"
      title={text.actors.title}
      lead={text.actors.lead}
      columns={columns}
      nameOf={(actor) => actor.name}
      onOpen={(actor) => {
        open(actor.id);
      }}
      bulk={[{ label: text.common.remove, isDangerous: true, run: remove }]}
      action={
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => {
            open("new");
          }}
        >
          {text.actors.add}
        </Button>
      }
      empty={{ title: text.actors.emptyTitle, words: text.actors.emptyText }}
    >
      {id === "new" && <ActorForm onClose={close} onSaved={open} />}
      {id && id !== "new" && <ActorDrawer key={id} id={id} />}
    </ListPage>
  );
}
