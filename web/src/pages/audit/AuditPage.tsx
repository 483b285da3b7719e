import { Link } from "wouter";
import type { AuditEntry } from "../../api/types";
import type { Column } from "../../parts/DataTable";
import { When } from "../../parts/facts";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { AuditDrawer } from "./AuditDrawer";
import { actionWords } from "./words";

const columns: Column<AuditEntry>[] = [
  { accessorKey: "at", header: text.audit.at, cell: ({ row }) => <When at={row.original.at} /> },
  { id: "who", accessorFn: (entry) => entry.actor?.name ?? text.audit.system, header: text.audit.who },
  {
    accessorKey: "action",
    header: text.audit.action,
    cell: ({ row: { original } }) => (
      <Link href={`/audit/${original.id.toString()}`} className="row-name">
        {actionWords(original.action)}
      </Link>
    ),
  },
  {
    id: "object",
    accessorFn: (entry) => (entry.object ? `${entry.object.type} ${entry.object.name ?? ""}` : ""),
    header: text.audit.object,
  },
  { accessorKey: "from", header: text.audit.from },
];

export default function AuditPage() {
  const { id, open, close } = usePlace();
  return (
    <ListPage
      kind="audit"
      icon="audit"
      title={text.audit.title}
      lead={text.audit.lead}
      columns={columns}
      nameOf={(entry) => entry.action}
      onOpen={(entry) => {
        open(entry.id.toString());
      }}
      empty={{ title: text.audit.emptyTitle, words: text.audit.emptyText }}
    >
      {(rows) => {
        const entry = rows.find((row) => row.id.toString() === id);
        return entry && <AuditDrawer entry={entry} onClose={close} />;
      }}
    </ListPage>
  );
}
