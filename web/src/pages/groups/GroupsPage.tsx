import { Button } from "@mantine/core";
import { Link } from "wouter";
import type { Group } from "../../api/types";
import type { Column } from "../../parts/DataTable";
import { Icon } from "../../parts/Icon";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { GroupDrawer } from "./GroupDrawer";
import { GroupForm } from "./GroupForm";

const columns: Column<Group>[] = [
  {
    accessorKey: "name",
    header: text.groups.name,
    cell: ({ row: { original } }) => (
      <Link href={`/groups/${original.id}`} className="row-name">
        {original.name}
      </Link>
    ),
  },
  { accessorKey: "actors", header: text.groups.actors },
];

export default function GroupsPage() {
  const { id, open, close } = usePlace();
  return (
    <ListPage
      kind="groups"
      icon="groups"
      title={text.groups.title}
      lead={text.groups.lead}
      columns={columns}
      nameOf={(group) => group.name}
      onOpen={(group) => {
        open(group.id);
      }}
      action={
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => {
            open("new");
          }}
        >
          {text.groups.add}
        </Button>
      }
      empty={{ title: text.groups.emptyTitle, words: text.groups.emptyText }}
    >
      {id === "new" && <GroupForm onClose={close} onSaved={open} />}
      {id && id !== "new" && <GroupDrawer key={id} id={id} />}
    </ListPage>
  );
}
