import { Link } from "wouter";
import type { Flow } from "../../api/types";
import type { Column } from "../../parts/DataTable";
import { ObjectLink, When } from "../../parts/facts";
import { ListPage } from "../../parts/ListPage";
import { text } from "../../text";

const columns: Column<Flow>[] = [
  {
    id: "actor",
    accessorFn: (flow) => flow.actor.name,
    header: text.flows.actor,
    cell: ({ row: { original } }) => <ObjectLink kind="actors" object={original.actor} />,
  },
  {
    id: "client",
    accessorFn: (flow) => flow.client.name,
    header: text.flows.client,
    cell: ({ row: { original } }) => <ObjectLink kind="clients" object={original.client} />,
  },
  {
    id: "resource",
    accessorFn: (flow) => flow.resource.name,
    header: text.flows.resource,
    cell: ({ row: { original } }) => <ObjectLink kind="resources" object={original.resource} />,
  },
  {
    id: "gateway",
    accessorFn: (flow) => flow.gateway.name,
    header: text.flows.gateway,
    cell: ({ row: { original } }) => <ObjectLink kind="gateways" object={original.gateway} />,
  },
  { accessorKey: "client_remote_ip", header: text.flows.from },
  { accessorKey: "expires_at", header: text.flows.expires, cell: ({ row }) => <When at={row.original.expires_at} /> },
  {
    id: "policy",
    header: text.flows.whatPolicy,
    enableSorting: false,
    cell: ({ row: { original } }) => (
      <Link href={`/policies/${original.policy_id}`} className="link">
        {text.flows.show}
      </Link>
    ),
  },
];

export default function FlowsPage() {
  return (
    <ListPage
      kind="flows"
      icon="flows"
      title={text.flows.title}
      lead={text.flows.lead}
      columns={columns}
      nameOf={(flow) => `${flow.client.name}, ${flow.resource.name}`}
      hasSearch={false}
      filters={[
        { key: "actor_id", label: text.flows.actor, kind: "actors" },
        { key: "client_id", label: text.flows.client, kind: "clients" },
        { key: "resource_id", label: text.flows.resource, kind: "resources" },
        { key: "gateway_id", label: text.flows.gateway, kind: "gateways" },
      ]}
      empty={{
        title: text.flows.emptyTitle,
        words: text.flows.emptyText,
        action: (
          <Link href="/access" className="link">
            {text.flows.toAccess}
          </Link>
        ),
      }}
    />
  );
}
