#include "culvert/tunnel/client/devices/client_devices.h"

#include <array>
#include <variant>

#include "culvert/observability/log.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

constexpr FlowTable::IdleTimes kIdleTimes{.echo = kDeviceDatagramIdleTime, .datagrams = kDeviceDatagramIdleTime};

std::string to_text(const InboundAccess::Expiry& expires_at) {
    return expires_at ? std::to_string(expires_at->time_since_epoch().count()) : "never";
}

}  // namespace

ClientDevices::ClientDevices(DeviceCore& core, const Rng& rng)
    : core_{core},
      own_flows_{{.total = kDeviceFlows, .per_peer = kDeviceFlowsPerPeer, .idle = kIdleTimes}, rng.child("own flows")},
      their_flows_{{.total = kDeviceFlows,
                    .per_peer = kDeviceFlowsPerPeer,
                    .interval = kDeviceFlowInterval,
                    .burst = kDeviceFlowBurst,
                    .idle = kIdleTimes,
                    .keeps_old = true},
                   rng.child("flows of others")},
      own_records_{kDeviceFlows},
      their_records_{kDeviceFlows} {}

// --- Pools ---

void ClientDevices::set_pools(const std::vector<portal_api::DevicePool>& pools, Instant now) {
    std::set<ResourceId> listed;
    for (const auto& pool : pools) {
        listed.insert(pool.id);
    }
    for (const auto& id : pools_.ids_except(listed)) {
        remove_pool(id, now);
    }
    for (const auto& pool : pools) {
        upsert_pool(pool, now);
    }
}

void ClientDevices::upsert_pool(const portal_api::DevicePool& pool, Instant now) {
    if (!pools_.contains(pool.id)) {
        kLog.info("Activating device pool", log::field("rid", pool.id));
    }
    pools_.upsert(pool);
    const auto is_gone = [&](const ClientId& device, const ResourceId& id) {
        return id == pool.id && !pools_.has_device(id, device);
    };
    requests_.erase_if(is_gone);
    close_unused(peers_.end_grants(is_gone), now);
    note_own_access_changed(now);
}

void ClientDevices::remove_pool(const ResourceId& id, Instant now) {
    if (!pools_.erase(id)) {
        return;
    }
    kLog.info("Deactivating device pool", log::field("rid", id));
    const auto is_of_pool = [&](const ClientId&, const ResourceId& pool) { return pool == id; };
    requests_.erase_if(is_of_pool);
    close_unused(peers_.end_grants(is_of_pool), now);
    note_own_access_changed(now);
}

std::vector<net::IpNetwork> ClientDevices::networks() const {
    std::vector<net::IpNetwork> networks;
    for (const auto& address : pools_.addresses()) {
        if (!core_.is_own_address(address)) {
            networks.push_back(net::IpNetwork::host(address));
        }
    }
    return networks;
}

// --- Access ---

void ClientDevices::handle(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now) {
    if (message.resource) {
        let_in(message, now, wall_now);
    } else {
        be_let_through(message, now);
    }
}

void ClientDevices::let_in(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now) {
    const auto& client = message.client_id;
    const auto& pool = *message.resource;
    if (message.expires_at && *message.expires_at <= wall_now) {
        kLog.debug("Refusing access that has expired by our clock", log::field("cid", client),
                   log::field("rid", pool.id), log::field("expires_at", to_text(message.expires_at)));
        return;
    }
    if (!connect(message, now)) {
        return;
    }
    // A client may ask again and again, and must not bury what it asked for before.
    kLog.log(inbound_.has_any(client) ? log::Level::kDebug : log::Level::kInfo, "Letting another client in",
             log::field("cid", client), log::field("rid", pool.id),
             log::field("expires_at", to_text(message.expires_at)));
    inbound_.allow(client, pool, message.expires_at);
    note_their_access_changed(now);
    their_records_.authorize(client.uuid(), pool.id, message.flow_logs_ingest_token, now);
    plan_flow_sweep(now);
    plan_sweep(now);
}

void ClientDevices::be_let_through(const portal_api::DeviceAccessAuthorized& message, Instant now) {
    const auto& device = message.client_id;
    if (!requests_.contains(device)) {
        kLog.debug("Ignoring access that nobody waits for", log::field("cid", device));
        return;
    }
    if (!connect(message, now)) {
        return;  // The request stays: its packets wait, and access is asked for again.
    }
    auto request = requests_.take(device);
    kLog.debug("Access to device granted", log::field("cid", device), log::field("rid", request->pool),
               log::field("name", message.client_name));
    peers_.grant(device, request->pool);
    note_own_access_changed(now);
    own_records_.authorize(device.uuid(), request->pool, message.flow_logs_ingest_token, now);
    plan_flow_sweep(now);
    for (std::size_t i = 0; i < request->packets.size(); ++i) {
        auto bytes = to_bytes(request->packets[i]);
        const auto packet = packet::IpPacket::parse(bytes, packet::kMaxSuperPacket);
        if (!packet) {
            continue;
        }
        packet::Segmenter segments{*packet};
        const auto to = route(*packet, segments, now);
        while (const auto segment = to ? segments.next() : std::nullopt) {
            core_.send(to->uuid(), *segment, now);
        }
    }
}

bool ClientDevices::connect(const portal_api::DeviceAccessAuthorized& message, Instant now) {
    const auto& id = message.client_id;
    for (const auto& address : {message.client_ipv4, message.client_ipv6}) {
        if (!is_peer_address(address) || core_.is_own_address(address)) {
            kLog.warn("Ignoring access to or of a client with an address that it cannot have", log::field("cid", id));
            return false;
        }
    }
    if (!core_.tun_config()) {
        kLog.debug("Ignoring access before init", log::field("cid", id));
        return false;
    }
    const auto upserted = core_.connect({.id = id.uuid(),
                                         .key = message.client_public_key,
                                         .preshared_key = message.preshared_key,
                                         .local = message.local_ice_credentials,
                                         .remote = message.remote_ice_credentials,
                                         .role = message.ice_role},
                                        now);
    if (!upserted) {
        forget(id, now);
        return false;
    }
    const bool is_reused = *upserted == connectivity::Upserted::kReused;
    peers_.put(id, {.key = message.client_public_key,
                    .ipv4 = message.client_ipv4,
                    .ipv6 = message.client_ipv6,
                    .reused_at = is_reused ? std::optional{now} : std::nullopt});
    note_own_access_changed(now);
    return true;
}

void ClientDevices::handle(const portal_api::DeviceAccessDenied& message, Instant now) {
    for (const auto& address : {message.ipv4, message.ipv6}) {
        const auto known = address ? pools_.device_at(*address) : std::nullopt;
        const auto device = !known && address ? peers_.find_by_address(*address) : known;
        if (!device) {
            continue;
        }
        kLog.debug("Portal refused access to device", log::field("cid", *device),
                   log::field("reason", portal_api::to_string(message.reason)));
        requests_.erase(*device);
        close_unused(peers_.end_grants([&](const ClientId& peer, const ResourceId&) { return peer == *device; }), now);
    }
    note_own_access_changed(now);
}

void ClientDevices::handle_refusal(const ResourceId& pool) {
    requests_.erase_if([&](const ClientId&, const ResourceId& requested) { return requested == pool; });
}

/// A client that may still reach us keeps the connection; it is the one to say when it is done.
void ClientDevices::close_unused(const std::vector<ClientId>& finished, Instant now) {
    for (const auto& id : finished) {
        if (!inbound_.has_any(id)) {
            kLog.debug("Last pool of device is gone", log::field("cid", id));
            core_.close(id.uuid(), now);
            forget(id, now);
        }
    }
}

void ClientDevices::reconcile(const std::vector<portal_api::Authorization>& authorizations, Instant now,
                              UnixSeconds wall_now) {
    update_inbound(inbound_.retain(authorizations), "Access of another client was revoked", now);
    update_inbound(inbound_.revoke_expired(wall_now), "Access of another client expired", now);
}

void ClientDevices::handle(const portal_api::RejectAccess& message, Instant now) {
    if (inbound_.revoke(message.client_id, message.resource_id)) {
        update_inbound({{message.client_id, message.resource_id}}, "Access of another client was revoked", now);
    } else {
        kLog.debug("Nothing to revoke", log::field("cid", message.client_id), log::field("rid", message.resource_id));
    }
}

void ClientDevices::handle(const portal_api::ResourceFiltersUpdated& message) {
    if (inbound_.update_filters(message.resource)) {
        their_flows_.invalidate();
    }
}

void ClientDevices::update_inbound(const std::vector<InboundAccess::Grant>& revoked, std::string_view why,
                                   Instant now) {
    for (const auto& [client, pool] : revoked) {
        kLog.info(why, log::field("cid", client), log::field("rid", pool));
    }
    if (!revoked.empty()) {
        note_their_access_changed(now);
    }
}

void ClientDevices::note_own_access_changed(Instant now) {
    own_flows_.invalidate();
    own_records_.end_unless(
        [this](const Uuid& device, const ResourceId& pool) {
            const auto* peer = peers_.find(ClientId{device});
            return peer != nullptr && peer->pools.contains(pool);
        },
        now);
}

void ClientDevices::note_their_access_changed(Instant now) {
    their_flows_.invalidate();
    their_records_.end_unless(
        [this](const Uuid& client, const ResourceId& pool) { return inbound_.has(ClientId{client}, pool); }, now);
}

// --- Candidates and connections ---

void ClientDevices::handle(const portal_api::ClientIceCandidates& message, Instant now) {
    if (contains(message.client_id)) {
        core_.add_candidates(message.client_id.uuid(), message.candidates, now);
    }
}

void ClientDevices::handle(const portal_api::InvalidateClientIceCandidates& message, Instant now) {
    if (contains(message.client_id)) {
        core_.remove_candidates(message.client_id.uuid(), message.candidates, now);
    }
}

void ClientDevices::handle(const portal_api::ClientIceCandidateError& message, Instant now) {
    kLog.debug("Candidates did not reach device", log::field("cid", message.client_id),
               log::field("reason", message.reason));
    requests_.erase(message.client_id);
    if (contains(message.client_id)) {
        core_.close(message.client_id.uuid(), now);
        forget(message.client_id, now);
    }
}

void ClientDevices::forget(const ClientId& id, Instant now) {
    core_.forget(id.uuid(), now);
    if (peers_.erase(id)) {
        note_own_access_changed(now);
    }
}

void ClientDevices::forget_all(Instant now) {
    requests_.start_anew();
    for (const auto& id : peers_.ids()) {
        forget(id, now);
    }
}

void ClientDevices::handle_control_packet(const ClientId& from, ByteSpan packet, Instant now) {
    const auto control = p2p::parse_control_packet(packet);
    const auto* peer = peers_.find(from);
    if (!control || peer == nullptr) {
        return;
    }
    if (control->event_type != static_cast<std::uint8_t>(p2p::EventType::kGoodbye)) {
        kLog.debug("Ignoring control event", log::field("cid", from), log::field("event", control->event_type));
        return;
    }
    if (peer->reused_at && now < *peer->reused_at + kGoodbyeMayBeOld) {
        // Said before the other end started anew: it expects the connection that it has just been given.
        kLog.debug("Ignoring goodbye, most likely an old one", log::field("cid", from));
        return;
    }
    kLog.debug("Client said goodbye", log::field("cid", from));
    inbound_.revoke_all(from);
    note_their_access_changed(now);
    forget(from, now);
}

// --- Time ---

void ClientDevices::handle_timeout(Instant now, UnixSeconds wall_now) {
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kExpirySweep:
                update_inbound(inbound_.revoke_expired(wall_now), "Access of another client expired", now);
                plan_sweep(now);
                break;
            case Due::kFlowSweep:
                follow_records(now);
                break;
        }
    });
}

void ClientDevices::plan_sweep(Instant now) {
    if (inbound_.empty()) {
        due_.clear(Due::kExpirySweep);
    } else {
        due_.bring_forward(Due::kExpirySweep, now + kExpirySweepInterval);
    }
}

}  // namespace culvert::tunnel
