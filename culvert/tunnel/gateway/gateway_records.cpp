// What a gateway records of flows for the portal.

#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {

void GatewayTunnel::record_sent(const ClientId& client, const FlowKey& key, const packet::IpPacket& packet,
                                Instant now) {
    auto* flow = flows_.find(key, now);
    if (flow == nullptr) {
        return;
    }
    auto& handle = FlowTable::record_of(*flow);
    if (!records_.note_sent(handle, packet, 1, now)) {
        handle = start_record(client, key, packet, now);
    }
}

FlowTracker::Handle GatewayTunnel::start_record(const ClientId& client, const FlowKey& key,
                                                const packet::IpPacket& packet, Instant now) {
    auto target = target_of(client, key, packet);
    if (!target) {
        return records_.nothing();
    }
    return records_.start({.peer = client.uuid(),
                           .resource = target->resource,
                           .source = {key.client, key.client_value},
                           .destination = {packet.destination(), key.remote_value},
                           .domain = std::move(target->domain),
                           .path = core_.send_path(client.uuid())},
                          packet, 1, now);
}

std::optional<GatewayTunnel::FlowTarget> GatewayTunnel::target_of(const ClientId& client, const FlowKey& key,
                                                                  const packet::IpPacket& packet) const {
    if (is_proxy_address(key.remote)) {
        const auto& translations = names_.of(client);
        const auto* target = translations.find(key.remote);
        return target == nullptr ? std::nullopt
                                 : std::optional{FlowTarget{target->resource, *translations.name_of(key.remote)}};
    }
    const auto resource = peers_.at(client).policy.classify(key.remote, requested_service(packet));
    return resource ? std::optional{FlowTarget{*resource, {}}} : std::nullopt;
}

}  // namespace culvert::tunnel
