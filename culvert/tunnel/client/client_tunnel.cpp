#include "culvert/tunnel/client/client_tunnel.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/ecn.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/filter_set.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/service.h"
#include "culvert/tunnel/tun_read.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

/// What an ICMP error says about the packet that was refused.
Service service_of(const packet::EmbeddedPacket& refused) {
    const auto [protocol, value] = refused.destination_value;
    switch (protocol) {
        case packet::L4Protocol::kTcp:
            return {Service::Protocol::kTcp, value};
        case packet::L4Protocol::kUdp:
            return {Service::Protocol::kUdp, value};
        case packet::L4Protocol::kIcmp:
            break;
    }
    return {Service::Protocol::kIcmp, 0};
}

/// What to tell the user of a refusal; empty: nothing, it is of no use to him.
std::string_view text_of(portal_api::FlowFailure reason) {
    switch (reason) {
        case portal_api::FlowFailure::kOffline:
            return "All gateways of a resource are offline: it can be reached again once one of them runs";
        case portal_api::FlowFailure::kVersionMismatch:
            return "No gateway of a resource has a version that goes with this client's: have gateways or client "
                   "updated";
        case portal_api::FlowFailure::kNotFound:
        case portal_api::FlowFailure::kForbidden:
        case portal_api::FlowFailure::kUnknown:
            break;
    }
    return {};
}

Service service_of(const FlowKey& flow) {
    switch (flow.protocol) {
        case packet::kProtocolTcp:
            return {Service::Protocol::kTcp, flow.remote_value};
        case packet::kProtocolUdp:
            return {Service::Protocol::kUdp, flow.remote_value};
        case packet::kProtocolIcmp:
        case packet::kProtocolIcmpv6:
            return {Service::Protocol::kIcmp, 0};
        default:
            return {};
    }
}

}  // namespace

ClientTunnel::ClientTunnel(const connectivity::Seeds& seeds, Instant now, WallTime wall_now,
                           const ClientOptions& options)
    : core_{connectivity::Role::kClient, seeds, now, wall_now},
      devices_{core_, seeds.own.child("devices")},
      dns_{seeds.own.child("dns")},
      flows_{{.total = kClientFlows, .per_peer = kClientFlowsPerGateway}, seeds.own.child("flows")},
      records_{kClientFlows} {
    resources_.want_internet(options.wants_internet);
    if (const auto refused = dns_.restore(options.dns_records); refused != 0) {
        kLog.warn("Some addresses of names were not taken over", log::field("count", refused));
    }
}

// --- Packets ---

void ClientTunnel::handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) {
    auto parsed = parse_tun_packet(packet);
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
    while (const auto packet = segments.next()) {
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
    tun.push(packet);
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

void ClientTunnel::open_flow(const FlowKey& key, const GatewayId& gateway, const packet::IpPacket& packet,
                             std::size_t packets, Instant now) {
    [[maybe_unused]] const bool is_open =
        flows_.open(key, {.id = gateway.uuid(), .owner = gateway.uuid()}, packet, now);
    assert(is_open);  // we limit nobody's flows here but our own applications'
    if (records_.is_on()) {
        record_sent(flows_.find(key, now), gateway, packet, packets, now);
    }
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

void ClientTunnel::reauthorise(const packet::EmbeddedPacket& refused, Instant now) {
    const auto target = target_of(refused.destination, service_of(refused));
    // a traffic filter says no in the same words as a missing authorization; asking again would not change it
    if (!target.is_permitted || !reauthorise_throttle_.allow(id_of(*target.resource), now)) {
        return;
    }
    request_access(id_of(*target.resource), "icmp-destination-unreachable-prohibited", now);
}

// --- Messages of the portal ---

void ClientTunnel::handle_portal(const portal_api::ToClient& message, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{
                   [&](const portal_api::ClientInit& init) {
                       handle(init, now);
                       devices_.reconcile(init.authorizations, wall_now);
                   },
                   [&](const portal_api::DeviceAccessAuthorized& authorized) { handle(authorized, now, wall_now); },
                   [&](const auto& any) { handle(any, now); },
               },
               message);
    settle_names(now);
    core_.note_input(now);
    drain_connections(now);
}

void ClientTunnel::handle(const portal_api::ClientInit& message, Instant now) {
    set_interface(message.interface, now);
    set_resources(message.resources, now);
    devices_.set_pools(message.device_pools, now);
    update_tun_config();
    core_.update_relays({}, message.relays, now);
    renew_requests(now);
}

void ClientTunnel::handle(const portal_api::ConfigChanged& message, Instant now) {
    set_interface(message.interface, now);
}

void ClientTunnel::handle(const portal_api::ResourceCreatedOrUpdated& message, Instant now) {
    add_resource(message.resource, now);
}

void ClientTunnel::handle(const portal_api::DevicePoolCreatedOrUpdated& message, Instant now) {
    devices_.upsert_pool(message.pool, now);
    update_tun_config();
}

void ClientTunnel::handle(const portal_api::ResourceDeleted& message, Instant now) {
    remove_resource(message.resource_id, now);
    devices_.remove_pool(message.resource_id, now);
    update_tun_config();
}

void ClientTunnel::handle(const portal_api::RelaysPresence& message, Instant now) {
    core_.update_relays(message.disconnected_ids, message.connected, now);
}

void ClientTunnel::handle(const portal_api::FlowCreated& message, Instant now) {
    const auto& id = message.resource_id;
    const auto& gateway = message.gateway_id;
    const auto* resource = resources_.find(id);
    if (resource == nullptr || devices_.contains(ClientId{gateway.uuid()})) {
        kLog.warn("Ignoring flow for unknown resource", log::field("rid", id), log::field("gid", gateway));
        return;
    }
    if (access_requests_.waiting(id) == nullptr) {
        kLog.debug("Ignoring flow that nobody waits for", log::field("rid", id), log::field("gid", gateway));
        return;
    }
    const auto upserted = core_.connect({.id = gateway.uuid(),
                                         .key = message.gateway_public_key,
                                         .preshared_key = message.preshared_key,
                                         .local = message.client_ice_credentials,
                                         .remote = message.gateway_ice_credentials},
                                        now);
    if (!upserted) {
        // The portal has been asked for relays. Access is asked for again if there is still traffic.
        access_requests_.drop_waiting(id);
        forget_gateway(gateway, now);
        return;
    }
    const auto waiting = access_requests_.take(id);
    if (*upserted == connectivity::Upserted::kReplaced) {
        // The gateway has started anew and allows nothing of what it once did: each resource is asked for again.
        remove_peer(gateway, now);
    }
    if (const auto before = peers_.gateway_of(id); before != gateway) {
        names_.forget_resource(id);  // what another gateway knows
        if (before) {
            records_.end(before->uuid(), id, now);
        }
    }
    records_.authorize(gateway.uuid(), id, message.flow_logs_ingest_token, now);
    if (records_.is_on()) {
        due_.bring_forward(Due::kFlowSweep, now + kFlowSweepInterval);
    }

    statuses_.set_site(gateway, message.site_id);
    preferences_.note(id, gateway);
    peers_.add(gateway, message.gateway_ipv4, message.gateway_ipv6);
    peers_.assign(id, gateway, networks_of(*resource));
    flows_.invalidate();
    close_unused_gateways(now);  // the resource may have moved here from another gateway
    for (std::size_t i = 0; i < waiting->queries.size(); ++i) {
        core_.send(gateway.uuid(), waiting->queries[i], now);
    }
    if (std::holds_alternative<portal_api::ClientDnsResource>(*resource)) {
        tell_names(id, gateway, waiting->packets, now);
        dns_.handle_site_connected(id, {.ipv4 = message.gateway_ipv4, .ipv6 = message.gateway_ipv6}, now);
        return;
    }
    for (std::size_t i = 0; i < waiting->packets.size(); ++i) {
        send_waiting(gateway, waiting->packets[i], now);
    }
}

void ClientTunnel::send_waiting(const GatewayId& gateway, ByteSpan bytes, Instant now) {
    if (p2p::is_control_packet(bytes)) {
        core_.send(gateway.uuid(), bytes, now);
        return;
    }
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    if (const auto key = packet ? outbound_flow(*packet) : std::nullopt) {
        open_flow(*key, gateway, *packet, 1, now);
    }
    core_.send(gateway.uuid(), bytes, now);
}

void ClientTunnel::handle(const portal_api::FlowCreationFailed& message, Instant now) {
    devices_.handle_refusal(message.resource_id);
    const auto* resource = resources_.find(message.resource_id);
    kLog.debug("Portal refused flow", log::field("rid", message.resource_id),
               log::field("reason", portal_api::to_string(message.reason)));
    if (resource == nullptr) {
        return;
    }
    notice(message.resource_id, message.reason);
    if (message.reason != portal_api::FlowFailure::kOffline) {
        return;
    }
    access_requests_.erase(message.resource_id);
    if (const auto gateway = peers_.gateway_of(message.resource_id)) {
        close_gateway(*gateway, now);
    }
    statuses_.set_offline(sites_of(*resource), now);
    resources_changed_ = true;
}

void ClientTunnel::notice(const ResourceId& resource, portal_api::FlowFailure reason) {
    const auto text = text_of(reason);
    if (!text.empty() && noticed_.emplace(resource, reason).second) {
        kLog.info(text, log::field("rid", resource));
    }
}

void ClientTunnel::handle(const portal_api::GatewayIceCandidates& message, Instant now) {
    core_.add_candidates(message.gateway_id.uuid(), message.candidates, now);
}

void ClientTunnel::handle(const portal_api::InvalidateGatewayIceCandidates& message, Instant now) {
    core_.remove_candidates(message.gateway_id.uuid(), message.candidates, now);
}

void ClientTunnel::handle(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now) {
    if (peers_.contains(GatewayId{message.client_id.uuid()})) {
        kLog.warn("Ignoring access to or of a client that is a gateway", log::field("cid", message.client_id));
        return;
    }
    devices_.handle(message, now, wall_now);
}

// --- Flows and gateways ---

void ClientTunnel::request_access(const ResourceId& resource, std::string_view trigger, Instant now) {
    if (!access_requests_.request(resource, now)) {
        kLog.trace("Access was requested moments ago", log::field("rid", resource));
        return;
    }
    ask_portal(resource, trigger);
}

void ClientTunnel::ask_portal(const ResourceId& resource, std::string_view trigger) {
    kLog.debug("Requesting access", log::field("rid", resource), log::field("trigger", trigger));
    core_.send_to_portal(portal_api::CreateFlow{resource, preferences_.for_resource(resource, peers_.ids())});
}

/// An `init` comes with each connection to the portal.
void ClientTunnel::renew_requests(Instant now) {
    for (const auto& resource : access_requests_.renew(now)) {
        ask_portal(resource, "new-connection-to-portal");
    }
    for (const auto& resource : std::exchange(used_before_reset_, {})) {
        if (resources_.find(resource) != nullptr && !peers_.gateway_of(resource)) {
            request_access(resource, "flows-before-reset", now);
        }
    }
}

/// A reset ends the connections, not what goes through them. Where only the far end speaks, nothing else would bring
/// them back before the application loses patience.
void ClientTunnel::note_resources_in_use(Instant now) {
    for (const auto& flow : flows_.live(now)) {
        const auto target = target_of(flow.remote, service_of(flow));
        if (target.is_permitted && peers_.gateway_of(id_of(*target.resource))) {
            used_before_reset_.insert(id_of(*target.resource));
        }
    }
}

void ClientTunnel::close_unused_gateways(Instant now) {
    for (const auto& gateway : peers_.unused()) {
        kLog.debug("Last resource for peer is gone", log::field("gid", gateway));
        close_gateway(gateway, now);
    }
    drain_connections(now);
}

void ClientTunnel::close_gateway(const GatewayId& gateway, Instant now) {
    core_.close(gateway.uuid(), now);
    forget_gateway(gateway, now);
}

void ClientTunnel::forget_gateway(const GatewayId& gateway, Instant now) {
    core_.forget(gateway.uuid(), now);
    if (!remove_peer(gateway, now)) {
        return;
    }
    statuses_.set_unknown(gateway);
    resources_changed_ = true;
    flows_.invalidate();
}

bool ClientTunnel::remove_peer(const GatewayId& gateway, Instant now) {
    records_.end_all_of(gateway.uuid(), now);
    for (const auto& resource : peers_.resources_of(gateway)) {
        dns_.handle_site_lost(resource);
    }
    names_.forget_gateway(gateway);
    return peers_.remove(gateway);
}

void ClientTunnel::forget_all_gateways(Instant now) {
    for (const auto& gateway : peers_.ids()) {
        forget_gateway(gateway, now);
    }
}

void ClientTunnel::drain_connections(Instant now) {
    core_.drain_connections(overloaded{
        [&](const connectivity::ConnectionEstablished& established) {
            // The connection may have been closed since.
            if (const GatewayId gateway{established.id}; peers_.contains(gateway)) {
                statuses_.set_online(gateway);
                resources_changed_ = true;
            }
        },
        [&](const connectivity::ConnectionFailed& failed) { forget_peer(failed.id, now); },
        [&](const connectivity::ConnectionClosed& closed) { forget_peer(closed.id, now); },
    });
}

void ClientTunnel::forget_peer(const connectivity::ConnectionId& id, Instant now) {
    if (const ClientId client{id}; devices_.contains(client)) {
        devices_.forget(client, now);
    } else {
        forget_gateway(GatewayId{id}, now);
    }
}

// --- Time, outputs, end ---

void ClientTunnel::handle_timeout(Instant now, UnixSeconds wall_now) {
    core_.handle_timeout(now);
    drain_connections(now);
    devices_.handle_timeout(now, wall_now);
    names_.handle_timeout(now);
    dns_.handle_timeout(now);
    resources_changed_ |= statuses_.handle_timeout(now);
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kRecords:
                records_changed_ = true;
                break;
            case Due::kFlowSweep:
                follow_records(now);
                break;
        }
    });
    settle_names(now);
}

std::optional<Instant> ClientTunnel::poll_timeout() {
    return earliest(core_.poll_timeout(), names_.poll_timeout(), dns_.poll_timeout(), devices_.poll_timeout(),
                    statuses_.poll_timeout(), due_.next());
}

std::optional<Bytes> ClientTunnel::poll_tun_packet() {
    if (errors_to_host_.empty()) {
        auto packet = dns_.poll_to_host();
        return packet ? std::move(packet) : devices_.poll_to_host();
    }
    auto error = std::move(errors_to_host_.front());
    errors_to_host_.pop_front();
    return error;
}

std::optional<ClientEvent> ClientTunnel::poll_event() {
    if (auto changed = std::exchange(key_changed_, std::nullopt)) {
        return *changed;
    }
    if (auto event = core_.poll_event()) {
        return std::visit([](auto& alternative) { return ClientEvent{std::move(alternative)}; }, *event);
    }
    if (std::exchange(resources_changed_, false)) {
        // Much that touches the list leaves it as it was: a site that was Unknown anyway, the list of a new `init`.
        if (auto views = resources_.views(statuses_); listed_ != views) {
            listed_ = views;
            return ResourcesChanged{std::move(views)};
        }
    }
    if (!dns_events_.empty()) {
        auto event = std::move(dns_events_.front());
        dns_events_.pop_front();
        return event;
    }
    if (std::exchange(records_changed_, false)) {
        return DnsRecordsChanged{dns_.proxies().records()};
    }
    if (auto tracked = records_.poll()) {
        return *std::move(tracked);
    }
    return std::nullopt;
}

void ClientTunnel::reset(std::string_view reason, Instant now) {
    kLog.info("Resetting network state", log::field("reason", reason));
    note_resources_in_use(now);
    core_.reset(now);
    drain_connections(now);
    forget_all_gateways(now);
    devices_.forget_all(now);
    dns_.handle_network_reset(now);
    settle_names(now);
    key_changed_ = KeyChanged{public_key()};
}

void ClientTunnel::shut_down(Instant now) {
    kLog.info("Shutting down");
    if (due_.is_set(Due::kRecords)) {  // the next session has to know the names of the last moment as well
        due_.clear(Due::kRecords);
        records_changed_ = true;
    }
    records_.finish_all(now);
    core_.close_all(now);
    forget_all_gateways(now);
    devices_.forget_all(now);
    drain_connections(now);
}

void ClientTunnel::apply(const Command& command, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{[&](const portal_api::ToClient& message) { handle_portal(message, now, wall_now); },
                          [&](const Reset& reset_command) { reset(reset_command.reason, now); },
                          [&](const SetInternetResource& internet) { set_internet_resource(internet.is_active, now); },
                          [&](const SetSystemResolvers& system) { set_system_resolvers(system.servers, now); },
                          [&](const DnsResponse& response) { handle_dns_response(response.id, response.message, now); },
                          [&](const DnsFailure& failure) { handle_dns_failure(failure.id, now); },
                          [&](const ShutDown&) { shut_down(now); }},
               command);
}

std::optional<Uuid> ClientTunnel::peer_of(const Command& command) {
    const auto* message = std::get_if<portal_api::ToClient>(&command);
    if (message == nullptr) {
        return std::nullopt;
    }
    using Peer = std::optional<Uuid>;
    return std::visit(
        overloaded{
            [](const portal_api::ClientInit&) -> Peer { return std::nullopt; },
            [](const portal_api::ConfigChanged&) -> Peer { return std::nullopt; },
            [](const portal_api::ResourceCreatedOrUpdated&) -> Peer { return std::nullopt; },
            [](const portal_api::DevicePoolCreatedOrUpdated&) -> Peer { return std::nullopt; },
            [](const portal_api::ResourceDeleted&) -> Peer { return std::nullopt; },
            [](const portal_api::RelaysPresence&) -> Peer { return std::nullopt; },
            [](const portal_api::FlowCreated& created) -> Peer { return created.gateway_id.uuid(); },
            [](const portal_api::FlowCreationFailed&) -> Peer { return std::nullopt; },
            [](const portal_api::GatewayIceCandidates& added) -> Peer { return added.gateway_id.uuid(); },
            [](const portal_api::InvalidateGatewayIceCandidates& gone) -> Peer { return gone.gateway_id.uuid(); },
            [](const portal_api::DeviceAccessAuthorized& authorized) -> Peer { return authorized.client_id.uuid(); },
            [](const portal_api::DeviceAccessDenied&) -> Peer { return std::nullopt; },
            [](const portal_api::ClientIceCandidates& added) -> Peer { return added.client_id.uuid(); },
            [](const portal_api::InvalidateClientIceCandidates& gone) -> Peer { return gone.client_id.uuid(); },
            [](const portal_api::ClientIceCandidateError& error) -> Peer { return error.client_id.uuid(); },
            [](const portal_api::RejectAccess& reject) -> Peer { return reject.client_id.uuid(); },
            [](const portal_api::ResourceFiltersUpdated&) -> Peer { return std::nullopt; },
        },
        *message);
}

}  // namespace culvert::tunnel
