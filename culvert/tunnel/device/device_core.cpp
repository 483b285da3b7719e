#include "culvert/tunnel/device/device_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/tunnel/p2p/control_packet.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

connectivity::Credentials to_credentials(const portal_api::IceCredentials& credentials) {
    return {credentials.username, credentials.password};
}

ice::AgentRole to_ice_role(portal_api::IceRole role) {
    switch (role) {
        case portal_api::IceRole::kControlling:
            return ice::AgentRole::kControlling;
        case portal_api::IceRole::kControlled:
            break;
    }
    return ice::AgentRole::kControlled;
}

portal_api::FromDevice added_message(connectivity::Role role, bool to_client, const connectivity::ConnectionId& id,
                                     std::vector<std::string> candidates) {
    switch (role) {
        case connectivity::Role::kClient:
            return to_client ? portal_api::FromClient{portal_api::BroadcastClientIceCandidates{{ClientId{id}},
                                                                                               std::move(candidates)}}
                             : portal_api::BroadcastGatewayIceCandidates{{GatewayId{id}}, std::move(candidates)};
        case connectivity::Role::kGateway:
            return portal_api::FromGateway{
                portal_api::BroadcastClientIceCandidates{{ClientId{id}}, std::move(candidates)}};
    }
    return {};
}

portal_api::FromDevice removed_message(connectivity::Role role, bool to_client, const connectivity::ConnectionId& id,
                                       std::vector<std::string> candidates) {
    switch (role) {
        case connectivity::Role::kClient:
            return to_client
                       ? portal_api::FromClient{portal_api::BroadcastInvalidatedClientIceCandidates{
                             {ClientId{id}}, std::move(candidates)}}
                       : portal_api::BroadcastInvalidatedGatewayIceCandidates{{GatewayId{id}}, std::move(candidates)};
        case connectivity::Role::kGateway:
            return portal_api::FromGateway{
                portal_api::BroadcastInvalidatedClientIceCandidates{{ClientId{id}}, std::move(candidates)}};
    }
    return {};
}

}  // namespace

DeviceCore::DeviceCore(connectivity::Role role, const connectivity::Seeds& seeds, Instant now, WallTime wall_now)
    : role_{role}, node_{role, seeds, now, wall_now} {}

bool DeviceCore::is_own_address(const net::IpAddress& address) const {
    const auto& config = tun_config();
    return config && (address == config->ipv4 || address == config->ipv6);
}

// Connections.

bool DeviceCore::is_client(const connectivity::ConnectionId& id) const {
    return role_ == connectivity::Role::kGateway || other_clients_.contains(id);
}

std::optional<connectivity::Upserted> DeviceCore::connect(const Peer& peer, Instant now) {
    const bool had_one = node_.has_connection(peer.id);
    const auto local = to_credentials(peer.local);
    const auto remote = to_credentials(peer.remote);
    if (peer.role) {
        other_clients_.insert(peer.id);
    }
    const auto upserted = peer.role
                              ? node_.upsert_client_connection(peer.id, peer.key, peer.preshared_key, local, remote,
                                                               to_ice_role(*peer.role), now)
                              : node_.upsert_connection(peer.id, peer.key, peer.preshared_key, local, remote, now);
    if (had_one && upserted != connectivity::Upserted::kReused) {
        note_end(peer.id);
    }
    if (!node_.has_relays()) {
        ask_for_relays(peer.id, now);
    }
    return upserted ? std::optional{*upserted} : std::nullopt;
}

void DeviceCore::ask_for_relays(const connectivity::ConnectionId& id, Instant now) {
    const bool asks = relay_recovery_.handle_no_relays(public_key(), now);
    kLog.log(
        asks ? log::Level::kInfo : log::Level::kDebug,
        "No relay is known: only direct paths are tried, and behind NAT or firewalls there may be none. Is a relay "
        "connected to the portal?",
        log::field(is_client(id) ? "cid" : "gid", id), log::field("asks_portal", asks));
    if (asks) {
        events_.emplace_back(AskForRelays{});
    }
}

void DeviceCore::note_failure(const connectivity::ConnectionId& id) const {
    if (!node_.has_relays()) {
        kLog.info("There is no direct path to the peer, and no relay to take its place",
                  log::field(is_client(id) ? "cid" : "gid", id));
    }
}

void DeviceCore::set_local_sockets(std::span<const net::SocketAddress> sockets) {
    std::vector<net::SocketAddress> reachable;
    std::ranges::copy_if(sockets, std::back_inserter(reachable), [](const net::SocketAddress& socket) {
        return !is_reserved(socket.ip) && !is_tunnel_address(socket.ip);
    });
    node_.set_local_sockets(reachable);
}

void DeviceCore::close(const connectivity::ConnectionId& id, Instant now) {
    if (node_.has_connection(id)) {
        node_.close_connection(id, p2p::goodbye_packet(), now);
        note_end(id);
    }
}

void DeviceCore::forget(const connectivity::ConnectionId& id, Instant now) {
    if (node_.has_connection(id)) {
        node_.forget_connection(id, now);
        note_end(id);
    }
}

void DeviceCore::note_end(const connectivity::ConnectionId& id) {
    candidates_.forget(id);
    events_.emplace_back(ConnectionEnded{id});
}

void DeviceCore::close_all(Instant now) {
    node_.close_all(p2p::goodbye_packet(), now);
}

void DeviceCore::handle_network_change(std::span<const net::IpAddress> addresses, Instant now) {
    node_.handle_network_change(addresses, now);
    note_input(now);
}

void DeviceCore::reset(Instant now) {
    node_.reset(now);
    other_clients_.clear();
    relay_recovery_.handle_list(false, now);
    events_.clear();  // about connections that are no more; the host reconnects to the portal anyway
    note_input(now);
}

// What the portal says about relays and candidates.

void DeviceCore::update_relays(std::span<const RelayId> removed, std::span<const portal_api::Relay> listed,
                               Instant now) {
    node_.update_relays(removed, to_relay_servers(listed), now);
    relay_recovery_.handle_list(node_.has_relays(), now);
}

void DeviceCore::add_candidates(const connectivity::ConnectionId& id, std::span<const std::string> candidates,
                                Instant now) {
    for (const auto& candidate : candidates) {
        node_.add_remote_candidate(id, candidate, now);
    }
}

void DeviceCore::remove_candidates(const connectivity::ConnectionId& id, std::span<const std::string> candidates,
                                   Instant now) {
    for (const auto& candidate : candidates) {
        node_.remove_remote_candidate(id, candidate, now);
    }
}

void DeviceCore::signal_candidates() {
    candidates_.flush(
        [&](const connectivity::ConnectionId& id, std::vector<std::string> candidates) {
            send_to_portal(added_message(role_, is_client(id), id, std::move(candidates)));
        },
        [&](const connectivity::ConnectionId& id, std::vector<std::string> candidates) {
            send_to_portal(removed_message(role_, is_client(id), id, std::move(candidates)));
        });
}

// Packets.

std::optional<DeviceCore::Received> DeviceCore::receive(const net::SocketAddress& local, const net::SocketAddress& from,
                                                        MutableByteSpan datagram, Instant now) {
    const auto decapsulated = node_.decapsulate(local, from, datagram, now);
    if (!decapsulated) {
        const auto& error = decapsulated.error();
        report_drop({.reason = connectivity::to_text(error.kind),
                     .cause = error.cause ? wireguard::to_string(*error.cause) : std::string_view{},
                     .local = local,
                     .from = from,
                     .bytes = datagram.size(),
                     .is_expected = error.is_recently_disconnected});
        return std::nullopt;
    }
    if (!*decapsulated) {
        note_input(now);
        return std::nullopt;
    }
    const auto& [connection, bytes] = **decapsulated;
    auto packet = packet::IpPacket::parse(bytes);
    const bool is_fragment = !packet && packet.error() == packet::ParseError::kFragment;
    if (is_fragment) [[unlikely]] {
        const auto whole = reassembler_.add(connection, bytes, now);
        if (!whole) {
            return std::nullopt;  // others are missing
        }
        packet = packet::IpPacket::parse(*whole, packet::kMaxSuperPacket);
    }
    if (!packet) {
        report_drop({.reason = packet::to_string(packet.error()),
                     .cause = {},
                     .local = local,
                     .from = from,
                     .bytes = datagram.size()});
        return std::nullopt;
    }
    return Received{connection, *packet, is_fragment};
}

void DeviceCore::deliver(const Received& received, packet::Coalescer& tun) {
    if (!received.is_reassembled) [[likely]] {
        tun.push(received.packet);
        return;
    }
    packet::Segmenter fragments{received.packet};
    while (const auto fragment = fragments.next()) {
        static_cast<void>(tun.push_copy(*fragment));
    }
}

// Time and outputs.

void DeviceCore::handle_timeout(Instant now) {
    due_.expire(now, [](Due due) {
        switch (due) {
            case Due::kAfterInput:
                return;  // what follows is what it waits for
        }
    });
    node_.handle_timeout(now);
    reassembler_.handle_timeout(now);
    recover_relays(now);
}

void DeviceCore::recover_relays(Instant now) {
    if (relay_recovery_.handle_timeout(node_.has_relays(), public_key(), now)) {
        kLog.info("All relays stopped answering: asking the portal for others");
        events_.emplace_back(AskForRelays{});
    }
}

std::optional<Instant> DeviceCore::poll_timeout() {
    return earliest(due_.next(), node_.poll_timeout(), relay_recovery_.poll_timeout(), reassembler_.poll_timeout());
}

std::optional<DeviceEvent> DeviceCore::poll_event() {
    if (auto config = tun_config_.poll()) {
        kLog.info("Updating TUN device");
        return TunInterfaceUpdated{std::move(*config)};
    }
    if (events_.empty()) {
        return std::nullopt;
    }
    auto event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<DroppedPackets> DeviceCore::poll_drops() {
    if (drops_.empty()) {
        return std::nullopt;
    }
    return std::exchange(drops_, {});
}

}  // namespace culvert::tunnel
