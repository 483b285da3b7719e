// What a client records of flows for the portal.

#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {

void ClientTunnel::record_sent(FlowTable::Flow* flow, const GatewayId& gateway, const packet::IpPacket& packet,
                               std::size_t packets, Instant now) {
    if (flow == nullptr) {
        return;
    }
    auto& handle = FlowTable::record_of(*flow);
    if (!records_.note_sent(handle, packet, packets, now)) {
        handle = start_record(gateway, packet, packets, now);
    }
}

FlowTracker::Handle ClientTunnel::start_record(const GatewayId& gateway, const packet::IpPacket& packet,
                                               std::size_t packets, Instant now) {
    const auto key = outbound_flow(packet);
    const auto target = target_of(packet.destination(), requested_service(packet));
    if (!key || target.resource == nullptr) {
        return records_.nothing();
    }
    return records_.start({.peer = gateway.uuid(),
                           .resource = id_of(*target.resource),
                           .source = {key->client, key->client_value},
                           .destination = {key->remote, key->remote_value},
                           .domain = target.name == nullptr ? std::string{} : target.name->domain().to_string(),
                           .path = core_.send_path(gateway.uuid())},
                          packet, packets, now);
}

void ClientTunnel::follow_records(Instant now) {
    records_.sweep(now, [this](const Uuid& gateway) { return core_.send_path(gateway); });
    due_.set(Due::kFlowSweep, records_.is_on() ? std::optional{now + kFlowSweepInterval} : std::nullopt);
}

}  // namespace culvert::tunnel
