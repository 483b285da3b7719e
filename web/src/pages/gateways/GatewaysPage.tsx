import { Link } from "wouter";
import type { Gateway } from "../../api/types";
import type { Column } from "../../parts/DataTable";
import { ObjectLink } from "../../parts/facts";
import { DeviceStatus } from "../../parts/DeviceStatus";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { GatewayDrawer } from "./GatewayDrawer";

const columns: Column<Gateway>[] = [
  {
    accessorKey: "name",
    header: text.gateways.name,
    cell: ({ row: { original } }) => (
      <Link href={`/gateways/${original.id}`} className="row-name">
        {original.name}
      </Link>
    ),
  },
  {
    id: "site",
    accessorFn: (gateway) => gateway.site.name,
    header: text.gateways.site,
    cell: ({ row: { original } }) => <ObjectLink kind="sites" object={original.site} />,
  },
  {
    accessorKey: "is_online",
    header: text.gateways.status,
    cell: ({ row }) => <DeviceStatus device={row.original} />,
  },
  { accessorKey: "last_seen_version", header: text.gateways.version },
  { accessorKey: "last_seen_remote_ip", header: text.gateways.address },
];

export default function GatewaysPage() {
  const { id, open } = usePlace();
  return (
    <ListPage
      kind="gateways"
      icon="gateways"
      title={text.gateways.title}
      lead={text.gateways.lead}
      columns={columns}
      nameOf={(gateway) => gateway.name}
      onOpen={(gateway) => {
        open(gateway.id);
      }}
      filters={[{ key: "site_id", label: text.gateways.site, kind: "sites" }]}
      empty={{
        title: text.gateways.emptyTitle,
        words: text.gateways.emptyText,
        action: (
          <Link href="/sites" className="link">
            {text.gateways.toSites}
          </Link>
        ),
      }}
    >
      {id && <GatewayDrawer key={id} id={id} />}
    </ListPage>
  );
}
