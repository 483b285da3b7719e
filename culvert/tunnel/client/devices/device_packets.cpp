// The part of ClientDevices that judges packets, in both directions.

#include <variant>

#include "culvert/observability/log.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/client/devices/client_devices.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

/// A SYN that opens a connection, or anything that is not TCP. Who goes on with a connection may only answer in one
/// that was opened before we knew of it.
bool may_open_flow(const packet::IpPacket& packet) {
    if (!packet.is_tcp()) {
        return true;
    }
    const auto flags = packet.tcp_flags();
    return (flags & packet::kTcpSyn) != 0 && (flags & packet::kTcpAck) == 0;
}

/// As the other end would have opened it.
FlowKey reversed(const FlowKey& key) {
    return {.client = key.remote,
            .remote = key.client,
            .client_value = key.remote_value,
            .remote_value = key.client_value,
            .protocol = key.protocol,
            .icmp_query = key.icmp_query};
}

}  // namespace

FlowTable::Flow* ClientDevices::find(FlowTable& flows, const std::optional<FlowKey>& key, const ClientId& peer,
                                     Instant now) {
    auto* flow = key ? flows.find(*key, now) : nullptr;
    return flow != nullptr && FlowTable::peer_of(*flow) == peer.uuid() ? flow : nullptr;
}

// --- From the host ---

bool ClientDevices::handle_packet_from_host(const packet::IpPacket& packet, const packet::Offload& offload,
                                            net::TransmitQueue& out, Instant now) {
    const auto destination = packet.destination();
    if (!is_peer_address(destination) || (!peers_.find_by_address(destination) && !pools_.device_at(destination))) {
        return false;
    }
    packet::Segmenter segments{packet, offload};
    if (const auto to = route(packet, segments, now)) {
        core_.send(to->uuid(), segments, out, now);
    }
    return true;
}

std::optional<ClientId> ClientDevices::route(const packet::IpPacket& packet, packet::Segmenter& segments, Instant now) {
    const auto destination = packet.destination();
    const auto connected = peers_.find_by_address(destination);
    if (connected) {
        auto* own = find(own_flows_, outbound_flow(packet), *connected, now);
        if (own != nullptr && own_flows_.is_judged(*own)) {
            own_flows_.note_sent(*own, packet, now);
            record_own(*own, *connected, packet, segments.remaining(), now);
            return connected;
        }
        switch (judge_answer(*connected, packet, segments.remaining(), now)) {
            case Answer::kPermitted:
                return connected;
            case Answer::kRefused:
                kLog.debug("Dropped answer to a client that may not ask any more", log::field("cid", *connected));
                return std::nullopt;
            case Answer::kNone:
                break;
        }
    }
    static const std::set<ResourceId> kNone;
    const auto* peer = connected ? peers_.find(*connected) : nullptr;
    const auto found = pools_.find_way(destination, requested_service(packet), peer == nullptr ? kNone : peer->pools);
    if (!found) {
        kLog.debug("Dropped packet to a client that is in no pool of ours", log::field("destination", destination));
        return std::nullopt;
    }
    const auto* way = std::get_if<DevicePools::Way>(&*found);
    if (way == nullptr) {
        kLog.debug("Refused packet to device", log::field("destination", destination),
                   log::field("reason", to_text(std::get<Refusal>(*found))));
        refuse_host(segments);
        return std::nullopt;
    }
    if (!may_open_flow(packet) && find(own_flows_, outbound_flow(packet), way->device, now) == nullptr) {
        // Part of what the other one opened, most likely, so long ago that it is forgotten.
        kLog.debug("Dropped packet of a connection that this host did not open",
                   log::field("destination", destination));
        return std::nullopt;
    }
    if (connected == way->device && peer->pools.contains(way->pool)) {
        note_own(way->device, packet, segments.remaining(), now);
        return way->device;
    }
    ask_for_access(*way, destination, "packet-for-device", now);
    auto& waiting = requests_.packets(way->device);
    while (const auto segment = segments.next_to_keep()) {
        static_cast<void>(waiting.push(*segment));
    }
    return std::nullopt;
}

/// Flows of others are remembered for as long as one that is idle is, even if nothing permits them any more: or what
/// this host goes on to say in them would open them once more at once, as flows of its own. But what was refused is no
/// part of them: the host may use these ports one day itself.
ClientDevices::Answer ClientDevices::judge_answer(const ClientId& peer, const packet::IpPacket& packet,
                                                  std::size_t packets, Instant now) {
    if (auto* flow = find(their_flows_, inbound_flow(packet), peer, now)) {
        if (!FlowTable::can_be_answer(*flow, packet)) {
            return Answer::kNone;  // connects to where it was connected from
        }
        const bool is_permitted = their_flows_.is_judged(*flow) || !inbound_.check(peer, answering_service(packet));
        if (!is_permitted || !their_flows_.admit(*flow, packet, now)) {
            return Answer::kRefused;
        }
        their_records_.note_received(FlowTable::record_of(*flow), packet, packets, now);
        return Answer::kPermitted;
    }
    const auto about = quoted_flow(packet);
    if (find(their_flows_, about, peer, now) != nullptr) {
        return inbound_.has_any(peer) ? Answer::kPermitted : Answer::kRefused;
    }
    const bool is_about_own = about && find(own_flows_, reversed(*about), peer, now) != nullptr;
    return is_about_own ? Answer::kPermitted : Answer::kNone;
}

void ClientDevices::note_own(const ClientId& peer, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    const auto key = outbound_flow(packet);
    if (!key || !own_flows_.open(*key, {.id = peer.uuid(), .owner = peer.uuid()}, packet, now)) {
        return;
    }
    if (auto* flow = own_records_.is_on() ? own_flows_.find(*key, now) : nullptr) {
        record_own(*flow, peer, packet, packets, now);
    }
}

void ClientDevices::ask_for_access(const DevicePools::Way& way, const net::IpAddress& address, std::string_view trigger,
                                   Instant now) {
    if (!requests_.request(way.device, way.pool, now)) {
        kLog.trace("Access was requested moments ago", log::field("cid", way.device));
        return;
    }
    kLog.debug("Requesting access to device", log::field("cid", way.device), log::field("rid", way.pool),
               log::field("trigger", trigger));
    portal_api::CreateFlow request{.resource_id = way.pool, .connected_gateway_ids = {}};
    (address.is_v4() ? request.ipv4 : request.ipv6) = address.to_string();
    core_.send_to_portal(portal_api::FromClient{std::move(request)});
}

void ClientDevices::refuse_host(packet::Segmenter& segments) {
    const auto first = segments.next_to_keep();
    const auto packet =
        first ? packet::IpPacket::parse(*first, packet::kMaxSuperPacket) : std::unexpected{packet::ParseError{}};
    auto answer = packet ? packet::make_icmp_error(packet::IcmpErrorKind::kProhibited, *packet) : std::nullopt;
    if (answer && to_host_.size() < kMaxRefusalsToHost) {
        to_host_.push_back(*std::move(answer));
    }
}

std::optional<Bytes> ClientDevices::poll_to_host() {
    if (to_host_.empty()) {
        return std::nullopt;
    }
    auto packet = std::move(to_host_.front());
    to_host_.pop_front();
    return packet;
}

// --- From others ---

bool ClientDevices::admit(const ClientId& from, const packet::IpPacket& packet, Instant now) {
    const auto verdict = judge(from, packet, now);
    if (verdict) {
        return true;
    }
    kLog.debug("Refused packet from client", log::field("cid", from), log::field("source", packet.source()),
               log::field("destination", packet.destination()), log::field("reason", to_text(verdict.error())));
    if (verdict.error() == Refusal::kTooManyFlows) {
        return false;  // what is merely lost is sent again, later
    }
    if (const auto answer = packet::make_icmp_error(packet::IcmpErrorKind::kProhibited, packet)) {
        core_.send(from.uuid(), *answer, now);
    }
    return false;
}

ClientDevices::Verdict ClientDevices::judge(const ClientId& from, const packet::IpPacket& packet, Instant now) {
    const auto* peer = peers_.find(from);
    if (peer == nullptr || !peer->has_address(packet.source())) {
        return std::unexpected{Refusal::kSpoofedSource};
    }
    if (!core_.is_own_address(packet.destination())) {
        return std::unexpected{Refusal::kPeerAddress};
    }
    if (auto* own = find(own_flows_, inbound_flow(packet), from, now);
        own != nullptr && is_still_ours(*peer, *own, packet) && own_flows_.admit(*own, packet, now)) {
        own_records_.note_received(FlowTable::record_of(*own), packet, 1, now);
        return {};
    }
    const auto key = outbound_flow(packet);
    if (!key) {
        return judge_message(from, packet, now);
    }
    if (auto* flow = find(their_flows_, key, from, now); flow != nullptr && their_flows_.is_judged(*flow)) {
        their_flows_.note_sent(*flow, packet, now);
        record_theirs(*flow, from, packet, now);
        return {};
    }
    if (const auto refusal = inbound_.check(from, requested_service(packet))) {
        return std::unexpected{*refusal};
    }
    if (!their_flows_.open(*key, {.id = from.uuid(), .owner = from.uuid()}, packet, now)) {
        return std::unexpected{Refusal::kTooManyFlows};
    }
    if (auto* flow = their_records_.is_on() ? their_flows_.find(*key, now) : nullptr) {
        record_theirs(*flow, from, packet, now);
    }
    return {};
}

/// A flow that was not judged lately may be of a pool that is gone.
bool ClientDevices::is_still_ours(const ClientPeers::Peer& peer, const FlowTable::Flow& own,
                                  const packet::IpPacket& answer) const {
    if (own_flows_.is_judged(own)) {
        return true;
    }
    const auto found = pools_.find_way(answer.source(), answering_service(answer), peer.pools);
    const auto* way = found ? std::get_if<DevicePools::Way>(&*found) : nullptr;
    return way != nullptr && peer.pools.contains(way->pool);
}

ClientDevices::Verdict ClientDevices::judge_message(const ClientId& from, const packet::IpPacket& packet, Instant now) {
    const auto about = quoted_flow(packet);
    if (find(own_flows_, about, from, now) != nullptr) {
        handle_prohibition(from, packet, now);
        return {};
    }
    const bool is_about_answer =
        about && inbound_.has_any(from) && find(their_flows_, reversed(*about), from, now) != nullptr;
    return is_about_answer ? Verdict{} : std::unexpected{Refusal::kUnasked};
}

void ClientDevices::handle_prohibition(const ClientId& from, const packet::IpPacket& error, Instant now) {
    const auto inspected = packet::inspect_icmp_error(error);
    if (!inspected || !*inspected || !(*inspected)->is_prohibited()) {
        return;
    }
    const auto& refused = (*inspected)->embedded;
    const auto found = pools_.find_way(refused.destination, service_of(refused), peers_.find(from)->pools);
    const auto* way = found ? std::get_if<DevicePools::Way>(&*found) : nullptr;
    if (way != nullptr && way->device == from && reauthorise_throttle_.allow(from, now)) {
        ask_for_access(*way, refused.destination, "icmp-destination-unreachable-prohibited", now);
    }
}

}  // namespace culvert::tunnel
