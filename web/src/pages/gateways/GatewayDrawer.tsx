import { DeviceActions } from "../../parts/DeviceActions";
import { Facts, ObjectLink } from "../../parts/facts";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { usePlace } from "../../parts/path";
import { RecentFlows } from "../../parts/RecentFlows";
import { text } from "../../text";
import { DeviceStatus } from "../../parts/DeviceStatus";

export function GatewayDrawer({ id }: { id: string }) {
  const { close } = usePlace();
  return (
    <LoadedDrawer kind="gateways" word={text.gateways.one} id={id} titleOf={({ name }) => name} onClose={close}>
      {(gateway, etag) => (
        <>
          <DeviceActions kind="gateways" device={gateway} etag={etag} />
          <Facts
            facts={[
              [text.gateways.status, <DeviceStatus device={gateway} />],
              [text.gateways.site, <ObjectLink kind="sites" object={gateway.site} />],
              [text.gateways.version, gateway.last_seen_version],
              [text.gateways.address, gateway.last_seen_remote_ip],
              [text.gateways.tunnel, `${gateway.ipv4}, ${gateway.ipv6}`],
            ]}
          />
          <RecentFlows query={{ gateway_id: id }} without="gateway" />
        </>
      )}
    </LoadedDrawer>
  );
}
