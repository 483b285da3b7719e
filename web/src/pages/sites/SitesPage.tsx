import { Button } from "@mantine/core";
import { Link } from "wouter";
import type { Site } from "../../api/types";
import type { Column } from "../../parts/DataTable";
import { Status } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { SiteDrawer } from "./SiteDrawer";
import { SiteForm } from "./SiteForm";

const columns: Column<Site>[] = [
  {
    accessorKey: "name",
    header: text.sites.name,
    cell: ({ row: { original } }) => (
      <Link href={`/sites/${original.id}`} className="row-name">
        {original.name}
      </Link>
    ),
  },
  {
    accessorKey: "gateways_online",
    header: text.sites.gateways,
    cell: ({ row: { original } }) => (
      <Status
        isGood={original.gateways_online > 0}
        isBad={original.gateways_online === 0}
        words={
          original.gateways === 0
            ? text.sites.noGateways
            : text.sites.gatewaysOnline(original.gateways_online, original.gateways)
        }
      />
    ),
  },
  { accessorKey: "resources", header: text.sites.resources },
];

export default function SitesPage() {
  const { id, open, close } = usePlace();
  return (
    <ListPage
      kind="sites"
      icon="sites"
      title={text.sites.title}
      lead={text.sites.lead}
      columns={columns}
      nameOf={(site) => site.name}
      onOpen={(site) => {
        open(site.id);
      }}
      action={
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => {
            open("new");
          }}
        >
          {text.sites.add}
        </Button>
      }
      empty={{ title: text.sites.emptyTitle, words: text.sites.emptyText }}
    >
      {id === "new" && <SiteForm onClose={close} onSaved={open} />}
      {id && id !== "new" && <SiteDrawer key={id} id={id} />}
    </ListPage>
  );
}
