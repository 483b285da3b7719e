import { Button } from "@mantine/core";
import { useOne, useTokens } from "../../api/queries";
import type { Site } from "../../api/types";
import { useConfirmedWrite } from "../../parts/confirmedWrite";
import { DrawerActions } from "../../parts/DrawerActions";
import { Facts } from "../../parts/facts";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { usePlace } from "../../parts/path";
import { Section } from "../../parts/Section";
import { TokenList } from "../../parts/TokenList";
import { text } from "../../text";
import { DeployGateway } from "./DeployGateway";
import { SiteForm } from "./SiteForm";
import { SiteGateways } from "./SiteGateways";

function Tokens({ id }: { id: string }) {
  const tokens = useTokens("sites", id);
  return <TokenList path={`/sites/${id}/tokens`} tokens={tokens.data?.data} problem={tokens.error} />;
}

function Details({ site, etag }: { site: Site; etag: string | null }) {
  const { open, close } = usePlace();
  const confirmedWrite = useConfirmedWrite();

  async function remove(): Promise<void> {
    const question = {
      title: text.sites.removeTitle(site.name),
      words: text.sites.removeText(site.gateways, site.resources),
    };
    if (await confirmedWrite(question, { method: "DELETE", path: `/sites/${site.id}`, etag })) close();
  }

  return (
    <>
      <DrawerActions
        onEdit={() => {
          open(site.id, "edit");
        }}
        onRemove={() => {
          void remove();
        }}
      >
        <Button
          size="xs"
          onClick={() => {
            open(site.id, "deploy");
          }}
        >
          {text.sites.deploy}
        </Button>
      </DrawerActions>
      <Facts facts={[[text.sites.resources, site.resources]]} />
      <Section title={text.sites.gateways}>
        <SiteGateways id={site.id} />
        {site.gateways_online === 1 && <p className="hint">{text.sites.second}</p>}
      </Section>
      <Tokens id={site.id} />
    </>
  );
}

export function SiteDrawer({ id }: { id: string }) {
  const { mode, open, close } = usePlace();
  const { data } = useOne("sites", id);
  if (mode === "edit" && data) {
    return <SiteForm site={data.object} etag={data.etag} onClose={close} onSaved={open} />;
  }
  return (
    <LoadedDrawer kind="sites" word={text.sites.one} id={id} titleOf={(site) => site.name} onClose={close}>
      {(site, etag) => (mode === "deploy" ? <DeployGateway site={site} /> : <Details site={site} etag={etag} />)}
    </LoadedDrawer>
  );
}
