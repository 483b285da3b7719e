// Packets of a client: from its host to gateways, and from gateways to its host.

#include <cassert>
#include <optional>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/ecn.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

// --- From the host ---

void ClientTunnel::handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) {
    auto parsed = core_.read(packet, now);
    if (!parsed || !is_from_us(*parsed)) {
        return;
    }
    const auto key = outbound_flow(*parsed);
    if (auto* flow = key ? flows_.find(*key, now) : nullptr; flow != nullptr && flows_.is_judged(*flow)) {
        flows_.note_sent(*flow, *parsed, now);
        packet::Segmenter segments{*parsed, packet.offload};
        if (records_.is_on()) {
            record_sent(flow, GatewayId{FlowTable::peer_of(*flow)}, *parsed, segments.remaining(), now);
        }
        core_.send(FlowTable::peer_of(*flow), segments, out, now);
        return;
    }
    if (dns_.handle_packet_from_host(*parsed, packet.offload, now)) {
        settle_names(now);
        return;
    }
    if (devices_.handle_packet_from_host(*parsed, packet.offload, out, now)) {
        return;
    }
    packet::Segmenter segments{*parsed, packet.offload};
    if (const auto gateway = route(*parsed, segments, now)) {
        if (key) {
            open_flow(*key, *gateway, *parsed, segments.remaining(), now);
        }
        core_.send(gateway->uuid(), segments, out, now);
    }
}

bool ClientTunnel::is_from_us(const packet::IpPacket& packet) const {
    if (!core_.tun_config()) {
        return false;
    }
    const auto source = packet.source();
    if (core_.is_own_address(source)) {
        return true;
    }
    // the gateway would answer it with an error, which would have us ask for access again and again
    kLog.debug("Dropped packet with bad source IP", log::field("source", source),
               log::field("destination", packet.destination()));
    return false;
}

std::optional<GatewayId> ClientTunnel::route(const packet::IpPacket& packet, packet::Segmenter& segments, Instant now) {
    const auto destination = packet.destination();
    if (is_always_dropped(destination)) {
        return std::nullopt;
    }
    if (is_peer_address(destination)) {
        const auto gateway = peers_.find_by_address(destination);
        if (!gateway) {
            kLog.trace("Dropped packet to unknown peer", log::field("destination", destination));
        }
        return gateway;
    }
    const auto target = target_of(destination, requested_service(packet));
    if (target.resource == nullptr) {
        kLog.trace("Dropped packet to unknown resource", log::field("destination", destination));
        return std::nullopt;
    }
    const auto& resource = id_of(*target.resource);
    if (!target.is_permitted) {
        refuse(resource, packet);
        return std::nullopt;
    }
    const auto gateway = peers_.gateway_of(resource);
    if (!gateway) {
        request_access(resource, "packet-for-resource", now);
        buffer_packets(resource, segments);
        return std::nullopt;
    }
    if (target.name != nullptr && wait_for_name(*gateway, target, segments, now)) {
        return std::nullopt;
    }
    return gateway;
}

/// The gateway would say the same, after the portal had been asked for access that is of no use.
void ClientTunnel::refuse(const ResourceId& resource, const packet::IpPacket& packet) {
    kLog.debug("Refused packet that no filter of its resource permits", log::field("rid", resource),
               log::field("destination", packet.destination()));
    if (auto error = packet::make_icmp_error(packet::IcmpErrorKind::kProhibited, packet);
        error && errors_to_host_.size() < kMaxErrorsToHost) {
        errors_to_host_.push_back(std::move(*error));
    }
}

ClientTunnel::Target ClientTunnel::target_of(const net::IpAddress& destination, const Service& service) const {
    if (!is_proxy_address(destination)) {
        const auto match = resources_.match(destination, service);
        return {.resource = match.resource, .name = nullptr, .is_permitted = match.is_permitted};
    }
    auto target = named_target(destination);
    target.is_permitted = target.resource != nullptr && resources_.permits(id_of(*target.resource), service);
    return target;
}

/// Proxy IPs belong to a name or to nobody: neither networks nor the Internet resource get what stands for a name that
/// cannot be reached any more.
ClientTunnel::Target ClientTunnel::named_target(const net::IpAddress& proxy_ip) const {
    const auto* name = dns_.proxies().find(proxy_ip);
    if (name == nullptr) {
        return {};
    }
    const auto* resource = resources_.find_name(name->resource(), name->domain(), proxy_ip.family());
    return resource == nullptr ? Target{} : Target{.resource = resource, .name = name};
}

void ClientTunnel::buffer_packets(const ResourceId& resource, packet::Segmenter& segments) {
    auto& packets = access_requests_.waiting(resource)->packets;
    while (const auto packet = segments.next_to_keep()) {
        switch (packets.push(*packet)) {
            case PacketBuffer::Outcome::kAppended:
                kLog.debug("Buffered packet", log::field("rid", resource), log::field("bytes", packet->size()));
                break;
            case PacketBuffer::Outcome::kOverwroteOldest:
                kLog.debug("Buffered packet in place of the oldest", log::field("rid", resource));
                break;
            case PacketBuffer::Outcome::kDuplicate:
            case PacketBuffer::Outcome::kReplacedSyn:
                kLog.trace("Packet is buffered already", log::field("rid", resource));
                break;
        }
    }
}

void ClientTunnel::send_waiting(const GatewayId& gateway, ByteSpan bytes, Instant now) {
    if (p2p::is_control_packet(bytes)) {
        core_.send(gateway.uuid(), bytes, now);
        return;
    }
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy, packet::kMaxSuperPacket);
    if (!packet) {
        return;
    }
    packet::Segmenter segments{*packet};
    if (const auto key = outbound_flow(*packet)) {
        open_flow(*key, gateway, *packet, segments.remaining(), now);
    }
    while (const auto segment = segments.next()) {
        core_.send(gateway.uuid(), *segment, now);
    }
}

void ClientTunnel::open_flow(const FlowKey& key, const GatewayId& gateway, const packet::IpPacket& packet,
                             std::size_t packets, Instant now) {
    [[maybe_unused]] const bool is_open =
        flows_.open(key, {.id = gateway.uuid(), .owner = gateway.uuid()}, packet, now);
    assert(is_open);  // we limit nobody's flows here but our own applications'
    if (records_.is_on()) {
        record_sent(flows_.find(key, now), gateway, packet, packets, now);
    }
}

// --- From peers ---

void ClientTunnel::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                   MutableByteSpan datagram, packet::Coalescer& tun, Instant now) {
    auto received = core_.receive(local, from, datagram, now);
    if (!received) {
        return;
    }
    auto& packet = received->packet;
    if (!accept(received->from, packet, now)) {
        return;
    }
    packet::apply_outer_ecn(packet, ecn);
    DeviceCore::deliver(*received, tun);
}

bool ClientTunnel::accept(const connectivity::ConnectionId& from, const packet::IpPacket& packet, Instant now) {
    const bool is_control = p2p::is_control_packet(packet.bytes());
    if (const ClientId client{from}; devices_.contains(client)) {
        if (is_control) {
            devices_.handle_control_packet(client, packet.bytes(), now);
        }
        return !is_control && devices_.admit(client, packet, now);
    }
    const GatewayId gateway{from};
    if (is_control) {
        handle_control_packet(gateway, packet.bytes(), now);
    }
    return !is_control && accept_from_gateway(gateway, packet, now);
}

bool ClientTunnel::accept_from_gateway(const GatewayId& gateway, const packet::IpPacket& packet, Instant now) {
    // Gateways route to a client by its addresses, so an honest one has nothing else for us. Any other destination
    // would be an address of this host's networks, which a gateway has no business to reach.
    if (!core_.is_own_address(packet.destination())) {
        kLog.debug("Dropped packet that is not for us", log::field("gid", gateway),
                   log::field("destination", packet.destination()));
        return false;
    }
    const auto key = inbound_flow(packet);
    if (!key) {
        return accept_error(gateway, packet, now);
    }
    auto* flow = find_flow(*key, gateway, now);
    if (flow != nullptr && flows_.admit(*flow, packet, now)) {
        if (records_.is_on()) {
            records_.note_received(FlowTable::record_of(*flow), packet, 1, now);
        }
        return true;
    }
    if (flow == nullptr && may_send_from(gateway, packet.source()) && dns_.handle_packet_from_tunnel(packet, now)) {
        settle_names(now);
        return false;
    }
    kLog.debug("Dropped packet that answers nothing", log::field("gid", gateway),
               log::field("source", packet.source()));
    return false;
}

FlowTable::Flow* ClientTunnel::find_flow(const FlowKey& key, const GatewayId& gateway, Instant now) {
    auto* flow = flows_.find(key, now);
    if (flow == nullptr || FlowTable::peer_of(*flow) != gateway.uuid()) {
        return nullptr;
    }
    // A flow that was not judged lately may be of a resource that is gone.
    const bool is_served = flows_.is_judged(*flow) || may_send_from(gateway, key.remote);
    return is_served ? flow : nullptr;
}

bool ClientTunnel::may_send_from(const GatewayId& gateway, const net::IpAddress& source) const {
    if (!is_proxy_address(source)) {
        return peers_.may_send_from(gateway, source);
    }
    const auto target = named_target(source);
    return target.resource != nullptr && peers_.gateway_of(id_of(*target.resource)) == gateway;
}

/// An error changes what this host does with the packets that it is about: a gateway has a say in those that go through
/// it, and in no others. Routers on their way send errors as well, so nothing is known of the source. Messages that are
/// neither echo nor error (redirects, router advertisements) no gateway lets pass.
bool ClientTunnel::accept_error(const GatewayId& gateway, const packet::IpPacket& packet, Instant now) {
    const auto about = quoted_flow(packet);
    const bool is_from_a_host = !is_reserved(packet.source()) && !core_.is_own_address(packet.source());
    if (about && is_from_a_host && accept_error_about_query(*about, gateway, packet, now)) {
        return false;
    }
    if (!about || !is_from_a_host || find_flow(*about, gateway, now) == nullptr) {
        kLog.debug("Dropped ICMP message that is about nothing that we sent", log::field("gid", gateway),
                   log::field("source", packet.source()));
        return false;
    }
    if (const auto error = packet::inspect_icmp_error(packet); error && *error && (*error)->is_prohibited()) {
        reauthorise((*error)->embedded, now);
    }
    return true;
}

/// Our own queries are no flows of the host.
bool ClientTunnel::accept_error_about_query(const FlowKey& about, const GatewayId& gateway,
                                            const packet::IpPacket& packet, Instant now) {
    if (flows_.find(about, now) != nullptr || !may_send_from(gateway, about.remote)) {
        return false;
    }
    const auto error = packet::inspect_icmp_error(packet);
    if (!error || !*error || !dns_.handle_icmp_error(**error, now)) {
        return false;
    }
    if ((*error)->is_prohibited()) {
        reauthorise((*error)->embedded, now);
    }
    settle_names(now);
    return true;
}

void ClientTunnel::handle_control_packet(const GatewayId& gateway, ByteSpan packet, Instant now) {
    const auto control = p2p::parse_control_packet(packet);
    if (!control) {
        return;
    }
    switch (control->event_type) {
        case static_cast<std::uint8_t>(p2p::EventType::kGoodbye):
            kLog.debug("Gateway said goodbye", log::field("gid", gateway));
            forget_gateway(gateway, now);
            return;
        case static_cast<std::uint8_t>(p2p::EventType::kDomainStatus):
            if (const auto status = p2p::decode_domain_status(control->payload)) {
                names_.handle_status(gateway, *status);
                settle_names(now);
            } else {
                kLog.debug("Ignoring malformed control event", log::field("gid", gateway));
            }
            return;
        default:
            kLog.debug("Ignoring control event", log::field("gid", gateway), log::field("event", control->event_type));
    }
}

}  // namespace culvert::tunnel
