import { Link } from "wouter";
import { useWrite } from "../../api/queries";
import type { Client } from "../../api/types";
import { forEachOf } from "../../parts/bulk";
import { confirm } from "../../parts/confirm";
import type { Column } from "../../parts/DataTable";
import { ObjectLink } from "../../parts/facts";
import { DeviceStatus } from "../../parts/DeviceStatus";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { ClientDrawer } from "./ClientDrawer";

const columns: Column<Client>[] = [
  {
    accessorKey: "name",
    header: text.clients.name,
    cell: ({ row: { original } }) => (
      <Link href={`/clients/${original.id}`} className="row-name">
        {original.name}
      </Link>
    ),
  },
  {
    id: "actor",
    accessorFn: (client) => client.actor.name,
    header: text.clients.actor,
    cell: ({ row: { original } }) => <ObjectLink kind="actors" object={original.actor} />,
  },
  {
    accessorKey: "is_online",
    header: text.clients.status,
    cell: ({ row: { original } }) => <DeviceStatus device={original} />,
  },
  { accessorKey: "last_seen_version", header: text.clients.version },
  { accessorKey: "last_seen_remote_ip", header: text.clients.address },
];

export default function ClientsPage() {
  const { id, open } = usePlace();
  const write = useWrite();

  async function revoke(clients: Client[]): Promise<void> {
    const yes = await confirm({
      title: text.clients.manyRevokeTitle(clients.length),
      words: text.clients.revokeText,
      action: text.clients.revoke,
      isDangerous: true,
    });
    if (!yes) return;
    await forEachOf(
      clients,
      (client) => write.mutateAsync({ method: "PUT", path: `/clients/${client.id}/revoke` }),
      text.clients.revoked,
    );
  }

  async function restore(clients: Client[]): Promise<void> {
    await forEachOf(
      clients,
      (client) => write.mutateAsync({ method: "PUT", path: `/clients/${client.id}/restore` }),
      text.clients.restored,
    );
  }

  return (
    <ListPage
      kind="clients"
      icon="clients"
      title={text.clients.title}
      lead={text.clients.lead}
      columns={columns}
      nameOf={(client) => client.name}
      onOpen={(client) => {
        open(client.id);
      }}
      filters={[{ key: "actor_id", label: text.clients.actor, kind: "actors" }]}
      bulk={[
        { label: text.clients.revoke, isDangerous: true, run: revoke },
        { label: text.clients.restore, run: restore },
      ]}
      empty={{
        title: text.clients.emptyTitle,
        words: text.clients.emptyText,
        action: (
          <Link href="/actors" className="link">
            {text.clients.toActors}
          </Link>
        ),
      }}
    >
      {id && <ClientDrawer key={id} id={id} />}
    </ListPage>
  );
}
