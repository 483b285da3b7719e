import { Button, Group } from "@mantine/core";
import { useList, useOne } from "../../api/queries";
import { Status } from "../../parts/facts";
import { text } from "../../text";
import { DeployGateway } from "../sites/DeployGateway";

interface Props {
  siteId: string | null;
  onDone: () => void;
  onNoSite: () => void;
}

export function GatewayStep({ siteId, onDone, onNoSite }: Props) {
  const site = useOne("sites", siteId);
  const gateways = useList("gateways", { site_id: siteId, limit: 100 }, siteId !== null);
  const online = (gateways.data?.data ?? []).filter((gateway) => gateway.is_online);
  if (!site.data) {
    return (
      <Button variant="default" onClick={onNoSite}>
        {text.first.gateway.chooseSite}
      </Button>
    );
  }
  return (
    <>
      {online.map((gateway) => (
        <p key={gateway.id}>
          <Status isGood words={text.command.connected(gateway.name)} />
        </p>
      ))}
      <DeployGateway site={site.data.object} />
      <Group justify="flex-end" mt="md">
        <Button variant={online.length > 0 ? "filled" : "default"} onClick={onDone}>
          {text.first.next}
        </Button>
      </Group>
    </>
  );
}
