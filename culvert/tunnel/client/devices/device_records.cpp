// What a client records for the portal of flows with other clients: of those that it began, and of those that they did.

#include <variant>

#include "culvert/tunnel/client/devices/client_devices.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {

void ClientDevices::record_own(FlowTable::Flow& flow, const ClientId& to, const packet::IpPacket& packet,
                               std::size_t packets, Instant now) {
    auto& handle = FlowTable::record_of(flow);
    if (!own_records_.is_on() || own_records_.note_sent(handle, packet, packets, now)) {
        return;
    }
    static const std::set<ResourceId> kNone;
    const auto* peer = peers_.find(to);
    const auto found =
        pools_.find_way(packet.destination(), requested_service(packet), peer == nullptr ? kNone : peer->pools);
    const auto* way = found ? std::get_if<DevicePools::Way>(&*found) : nullptr;
    handle =
        start_record(own_records_, to, way == nullptr ? std::nullopt : std::optional{way->pool}, packet, packets, now);
}

void ClientDevices::record_theirs(FlowTable::Flow& flow, const ClientId& from, const packet::IpPacket& packet,
                                  Instant now) {
    auto& handle = FlowTable::record_of(flow);
    if (their_records_.is_on() && !their_records_.note_sent(handle, packet, 1, now)) {
        handle = start_record(their_records_, from, inbound_.pool_for(from, requested_service(packet)), packet, 1, now);
    }
}

FlowTracker::Handle ClientDevices::start_record(FlowTracker& records, const ClientId& peer,
                                                const std::optional<ResourceId>& pool, const packet::IpPacket& packet,
                                                std::size_t packets, Instant now) {
    const auto key = outbound_flow(packet);
    if (!key || !pool) {
        return records.nothing();
    }
    return records.start({.peer = peer.uuid(),
                          .resource = *pool,
                          .source = {key->client, key->client_value},
                          .destination = {key->remote, key->remote_value},
                          .domain = {},
                          .path = core_.send_path(peer.uuid())},
                         packet, packets, now);
}

std::optional<FlowsTracked> ClientDevices::poll_records() {
    auto tracked = own_records_.poll();
    return tracked ? std::move(tracked) : their_records_.poll();
}

void ClientDevices::finish_records(Instant now) {
    own_records_.finish_all(now);
    their_records_.finish_all(now);
}

void ClientDevices::follow_records(Instant now) {
    for (auto* records : {&own_records_, &their_records_}) {
        records->sweep(now, [this](const Uuid& peer) { return core_.send_path(peer); });
    }
    plan_flow_sweep(now);
}

void ClientDevices::plan_flow_sweep(Instant now) {
    if (own_records_.is_on() || their_records_.is_on()) {
        due_.bring_forward(Due::kFlowSweep, now + kFlowSweepInterval);
    }
}

}  // namespace culvert::tunnel
