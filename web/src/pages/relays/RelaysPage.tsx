import { Button } from "@mantine/core";
import { useWrite } from "../../api/queries";
import type { Relay } from "../../api/types";
import { forEachOf } from "../../parts/bulk";
import { confirm } from "../../parts/confirm";
import type { Column } from "../../parts/DataTable";
import { Online } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { DeployRelay } from "./DeployRelay";
import { RelayTokens } from "./RelayTokens";

function addresses(relay: Relay): string {
  const port = relay.port.toString();
  return [relay.ipv4 && `${relay.ipv4}:${port}`, relay.ipv6 && `[${relay.ipv6}]:${port}`].filter(Boolean).join(", ");
}

const columns: Column<Relay>[] = [
  { accessorKey: "name", header: text.relays.name, cell: ({ row }) => row.original.name ?? addresses(row.original) },
  { id: "addresses", accessorFn: addresses, header: text.relays.addresses },
  { accessorKey: "is_online", header: text.relays.status, cell: ({ row }) => <Online row={row.original} /> },
];

export default function RelaysPage() {
  const { id, open, close } = usePlace();
  const write = useWrite();

  async function remove(relays: Relay[]): Promise<void> {
    const yes = await confirm({
      title: text.relays.removeTitle(relays.length),
      words: text.relays.removeText,
      action: text.common.remove,
      isDangerous: true,
    });
    if (!yes) return;
    await forEachOf(
      relays,
      (relay) => write.mutateAsync({ method: "DELETE", path: `/relays/${relay.id}` }),
      text.common.deleted,
    );
  }

  return (
    <ListPage
      kind="relays"
      icon="relays"
      title={text.relays.title}
      lead={text.relays.lead}
      columns={columns}
      nameOf={(relay) => relay.name ?? addresses(relay)}
      bulk={[{ label: text.common.remove, isDangerous: true, run: remove }]}
      action={
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => {
            open("new");
          }}
        >
          {text.relays.add}
        </Button>
      }
      empty={{ title: text.relays.emptyTitle, words: text.relays.emptyText }}
    >
      <RelayTokens />
      {id === "new" && <DeployRelay onClose={close} />}
    </ListPage>
  );
}
