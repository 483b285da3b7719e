// What a gateway writes down of flows: in its log, and in records for the portal.

#include <optional>
#include <utility>

#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {

// --- In the log ---

void GatewayTunnel::log_sent(const ClientId& client, const FlowKey& key, const packet::IpPacket& packet,
                             const FlowLog::Outer& outer, Instant now) {
    auto* flow = flows_.find(key, now);
    if (flow == nullptr) {
        return;
    }
    auto& handle = FlowTable::tag_of(*flow);
    if (!flow_log_.note_sent(handle, outer, packet, now) && may_begin_account(packet)) {
        handle = start_logging(client, key, packet, outer, now);
    }
}

FlowLog::Handle GatewayTunnel::start_logging(const ClientId& client, const FlowKey& key, const packet::IpPacket& packet,
                                             const FlowLog::Outer& outer, Instant now) {
    auto target = target_of(client, key, packet);
    if (!target) {
        return 0;
    }
    return flow_log_.start({.client = client,
                            .resource = target->resource,
                            .source = {key.client, key.client_value},
                            .destination = {packet.destination(), key.remote_value},
                            .domain = std::move(target->domain),
                            .outer = outer},
                           packet, now);
}

void GatewayTunnel::log_received(FlowTable::Flow* flow, const packet::IpPacket& packet, std::size_t packets,
                                 Instant now) {
    if (flow_log_.is_on() && flow != nullptr) {
        flow_log_.note_received(FlowTable::tag_of(*flow), packet, packets, now);
    }
    if (records_.is_on() && flow != nullptr) {
        records_.note_received(FlowTable::record_of(*flow), packet, packets, now);
    }
}

// --- For the portal ---

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
    const auto resource = clients_.policy_of(client).classify(key.remote, requested_service(packet));
    return resource ? std::optional{FlowTarget{*resource, {}}} : std::nullopt;
}

}  // namespace culvert::tunnel
