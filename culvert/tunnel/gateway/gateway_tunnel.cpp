#include "culvert/tunnel/gateway/gateway_tunnel.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/ecn.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/gateway/packet_policy.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/service.h"
#include "culvert/tunnel/tun_read.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

bool is_expired(const portal_api::AuthorizeFlow& flow, UnixSeconds wall_now) {
    return flow.expires_at && *flow.expires_at <= wall_now;
}

/// Ids of this process's shards never meet: the upper bits say which one's it is.
constexpr unsigned kShardBits = 16;
constexpr unsigned kNumberBits = 64 - kShardBits;

std::uint64_t id_of_shard(std::uint64_t shard, std::uint64_t number) {
    return (shard << kNumberBits) | number;
}
/// nullopt: it is another shard's.
std::optional<std::uint64_t> number_in_shard(std::uint64_t shard, std::uint64_t id) {
    return id >> kNumberBits == shard ? std::optional{id & ((std::uint64_t{1} << kNumberBits) - 1)} : std::nullopt;
}

std::string to_text(const ClientPolicy::Expiry& expires_at) {
    return expires_at ? std::to_string(expires_at->time_since_epoch().count()) : "never";
}

}  // namespace

GatewayTunnel::GatewayTunnel(const connectivity::Seeds& seeds, Instant now, WallTime wall_now, std::uint16_t shard)
    : core_{connectivity::Role::kGateway, seeds, now, wall_now},
      shard_{shard},
      names_{seeds.own.child("names")},
      site_dns_{seeds.own.child("site DNS"), now},
      flows_{{.total = kGatewayFlows,
              .per_peer = kGatewayFlowsPerClient,
              .per_owner = kGatewayFlowsPerActor,
              .interval = kGatewayFlowRate.cost(),
              .burst = kGatewayFlowRate.burst},
             seeds.own.child("flows")},
      flow_log_{now, wall_now, kGatewayFlows},
      records_{kGatewayFlows} {}

// --- Packets: from resources to clients ---

void GatewayTunnel::handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) {
    auto parsed = parse_tun_packet(packet);
    if (!parsed || is_proxy_address(parsed->source())) {
        return;  // no host has the address of a name
    }
    auto key = inbound_flow(*parsed);
    auto* flow = key ? flows_.find(*key, now) : nullptr;
    if (flow == nullptr && names_.has_sessions()) {
        switch (translate_inbound(*parsed, now)) {
            case nat::SessionTable::In::kTranslated:
                key = inbound_flow(*parsed);
                flow = key ? flows_.find(*key, now) : nullptr;
                break;
            case nat::SessionTable::In::kNotTranslated:
                break;
            case nat::SessionTable::In::kLate:
                return;
        }
    }
    packet::Segmenter segments{*parsed, packet.offload};
    if (flow != nullptr && flows_.is_judged(*flow)) {
        if (flows_.admit(*flow, *parsed, now)) {
            log_received(flow, *parsed, segments.remaining(), now);
            core_.send(FlowTable::peer_of(*flow), segments, out, now);
        }
        return;
    }
    if (const auto client = accept_inbound(*parsed, flow, now)) {
        log_received(flow, *parsed, segments.remaining(), now);
        core_.send(client->uuid(), segments, out, now);
    }
}

nat::SessionTable::In GatewayTunnel::translate_inbound(packet::IpPacket& packet, Instant now) {
    const auto client = clients_by_address_.find(packet.destination());
    if (client == clients_by_address_.end()) {
        return nat::SessionTable::In::kNotTranslated;
    }
    const auto result = packet.source_value() ? names_.translate_in(client->second, packet, now)
                                              : pass_error_from_name(client->second, packet, now);
    if (result == nat::SessionTable::In::kLate) {
        kLog.trace("Translated an error about a packet to a name, or dropped what is late for one",
                   log::field("cid", client->second));
    }
    return result;
}

/// Routers on the way to the name send errors, and so does the kernel of this machine.
nat::SessionTable::In GatewayTunnel::pass_error_from_name(const ClientId& client, const packet::IpPacket& packet,
                                                          Instant now) {
    using In = nat::SessionTable::In;
    const auto error = packet::inspect_icmp_error(packet);
    const auto about = error && *error ? quoted_flow(packet) : std::nullopt;
    if (!about || flows_.find(*about, now) != nullptr) {
        return In::kNotTranslated;
    }
    auto [result, translated] = names_.translate_error_in(client, **error, now);
    if (result != In::kTranslated) {
        return result;
    }
    const auto parsed = packet::IpPacket::parse(translated);
    const auto about_name = parsed ? quoted_flow(*parsed) : std::nullopt;
    const auto* flow = about_name ? flows_.find(*about_name, now) : nullptr;
    const bool may_come = core_.is_own_address(packet.source()) || may_send_errors(packet.source());
    if (may_come && flow != nullptr && FlowTable::peer_of(*flow) == client.uuid()) {
        core_.send(client.uuid(), translated, now);
    }
    return In::kLate;
}

std::optional<ClientId> GatewayTunnel::accept_inbound(const packet::IpPacket& packet, FlowTable::Flow* flow,
                                                      Instant now) {
    const auto source = packet.source();
    const auto destination = packet.destination();
    if (!is_peer_address(destination)) {
        return std::nullopt;
    }
    const auto client = clients_by_address_.find(destination);
    if (client == clients_by_address_.end()) {
        kLog.debug("Dropped packet to unknown client", log::field("destination", destination));
        return std::nullopt;
    }
    const auto& policy = peers_.at(client->second).policy;
    auto verdict = core_.is_own_address(source) ? check_from_gateway(packet)
                   : is_proxy_address(source)   ? check_from_name(policy, names_.of(client->second), packet)
                                                : check_inbound(policy, packet);
    if (verdict && !is_asked_for(client->second, packet, flow, now)) {
        verdict = std::unexpected{Refusal::kUnasked};
    }
    if (!verdict) {
        kLog.debug("Dropped packet to client", log::field("cid", client->second), log::field("source", source),
                   log::field("reason", to_text(verdict.error())));
        return std::nullopt;
    }
    return client->second;
}

bool GatewayTunnel::is_asked_for(const ClientId& client, const packet::IpPacket& packet, FlowTable::Flow* flow,
                                 Instant now) {
    if (flow != nullptr) {
        return FlowTable::peer_of(*flow) == client.uuid() && flows_.admit(*flow, packet, now);
    }
    const auto about = quoted_flow(packet);
    const auto* quoted = about ? flows_.find(*about, now) : nullptr;
    return quoted != nullptr && FlowTable::peer_of(*quoted) == client.uuid();
}

// --- Packets: from clients to resources ---

void GatewayTunnel::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                    MutableByteSpan datagram, packet::Coalescer& tun, Instant now) {
    auto received = core_.receive(local, from, datagram, now);
    if (!received) {
        return;
    }
    const auto& connection = received->from;
    auto& packet = received->packet;
    const auto key = outbound_flow(packet);
    auto* flow = key ? flows_.find(*key, now) : nullptr;
    const ClientId client{connection};
    const bool is_judged = flow != nullptr && flows_.is_judged(*flow) && FlowTable::peer_of(*flow) == connection;
    if (is_judged && (!is_proxy_address(packet.destination()) || names_.translate_running(client, packet, now))) {
        flows_.note_sent(*flow, packet, now);
    } else {
        const auto peer = peers_.find(client);
        if (peer == peers_.end()) {
            core_.report_drop({.reason = "No peer for connection",
                               .cause = {},
                               .local = local,
                               .from = from,
                               .bytes = datagram.size()});
            return;
        }
        if (p2p::is_control_packet(packet.bytes())) {
            handle_control_packet(client, packet.bytes(), now);
            return;
        }
        peer->second.leaves_at.reset();
        if (!accept_outbound(client, peer->second, packet, key, now)) {
            return;
        }
        if (!key && is_proxy_address(packet.destination())) {
            if (const auto error = names_.pass_on_error(client, packet, now)) {
                static_cast<void>(tun.push_copy(*error));
            }
            return;
        }
    }
    if (flow_log_.is_on() && key) {
        log_sent(client, *key, packet, {.remote = from, .local = local}, now);
    }
    if (records_.is_on() && key) {
        record_sent(client, *key, packet, now);
    }
    packet::apply_outer_ecn(packet, ecn);
    tun.push(packet);
}

bool GatewayTunnel::accept_outbound(const ClientId& client, Peer& peer, packet::IpPacket& packet,
                                    const std::optional<FlowKey>& key, Instant now) {
    const auto target = judge_outbound(client, peer, packet, key, now);
    if (!target) {
        refuse_outbound(client, packet, target.error(), now);
        return false;
    }
    if (core_.is_own_address(packet.destination()) && SiteDns::is_query(packet)) {
        site_dns_.handle_packet(packet, now);
        send_dns_answers(now);
        return false;  // it has arrived
    }
    if (!key) {
        return true;
    }
    if (!open_flow(*key, client, peer, packet, now)) {
        return false;
    }
    if (!*target) {
        return true;
    }
    const auto passed = names_.pass_on(client, packet, **target, flows_, now);
    if (!passed) {
        refuse_outbound(client, packet, passed.error(), now);
    }
    return passed.has_value();
}

std::expected<GatewayTunnel::Target, Refusal> GatewayTunnel::judge_outbound(const ClientId& client, const Peer& peer,
                                                                            const packet::IpPacket& packet,
                                                                            const std::optional<FlowKey>& key,
                                                                            Instant now) {
    const auto destination = packet.destination();
    const bool is_from_client = packet.source() == peer.ipv4 || packet.source() == peer.ipv6;
    if (!is_from_client) {
        return std::unexpected{Refusal::kSpoofedSource};
    }
    if (is_proxy_address(destination)) {
        const auto real = check_to_name(peer.policy, names_.of(client), packet);
        return real ? std::expected<Target, Refusal>{*real} : std::unexpected{real.error()};
    }
    const auto verdict =
        core_.is_own_address(destination) ? check_to_gateway(peer.policy, packet) : check_outbound(peer.policy, packet);
    if (!verdict) {
        return std::unexpected{verdict.error()};
    }
    if (key && names_.is_mistakable(client, packet, flows_, now)) {
        return std::unexpected{Refusal::kPortTaken};
    }
    return std::nullopt;
}

void GatewayTunnel::refuse_outbound(const ClientId& client, const packet::IpPacket& packet, Refusal refusal,
                                    Instant now) {
    kLog.debug("Refused packet from client", log::field("cid", client), log::field("source", packet.source()),
               log::field("destination", packet.destination()), log::field("reason", to_text(refusal)));
    const auto kind = icmp_error_of(refusal);
    if (const auto answer = kind ? packet::make_icmp_error(*kind, packet) : std::nullopt) {
        core_.send(client.uuid(), *answer, now);
    }
}

/// No error tells the client: one of "prohibited" would have it ask for access anew, and what is merely lost is sent
/// again, later.
bool GatewayTunnel::open_flow(const FlowKey& key, const ClientId& client, Peer& peer, const packet::IpPacket& packet,
                              Instant now) {
    if (flows_.open(key, {.id = client.uuid(), .owner = peer.owner}, packet, now)) {
        return true;
    }
    const bool tells = now >= peer.next_flow_notice;
    if (tells) {
        peer.next_flow_notice = now + kFlowNoticeInterval;
    }
    kLog.log(tells ? log::Level::kInfo : log::Level::kDebug, "Client opens flows too fast: dropped the first packet",
             log::field("cid", client), log::field("a_second", kGatewayFlowRate.per_second));
    return false;
}

void GatewayTunnel::handle_control_packet(const ClientId& client, ByteSpan packet, Instant now) {
    const auto control = p2p::parse_control_packet(packet);
    const auto peer = peers_.find(client);
    if (!control || peer == peers_.end()) {
        return;
    }
    switch (control->event_type) {
        case static_cast<std::uint8_t>(p2p::EventType::kGoodbye):
            handle_goodbye(client, now);
            break;
        case static_cast<std::uint8_t>(p2p::EventType::kAssignedIps):
            handle_assigned_ips(client, peer->second.policy, control->payload, now);
            break;
        default:
            kLog.debug("Ignoring control event", log::field("cid", client), log::field("event", control->event_type));
            break;
    }
}

void GatewayTunnel::handle_goodbye(const ClientId& client, Instant now) {
    const auto peer = peers_.find(client);
    if (peer != peers_.end() && peer->second.reused_at && now < *peer->second.reused_at + kGoodbyeMayBeOld) {
        kLog.debug("Client said goodbye, maybe before it was allowed more", log::field("cid", client));
        peer->second.leaves_at = now + kGoodbyeDelay;
        flows_.invalidate();  // its next packet is looked at
        return;
    }
    kLog.debug("Client said goodbye", log::field("cid", client));
    forget_client(client, now);
}

// --- The log of flows ---

void GatewayTunnel::log_sent(const ClientId& client, const FlowKey& key, const packet::IpPacket& packet,
                             const FlowLog::Outer& outer, Instant now) {
    auto* flow = flows_.find(key, now);
    if (flow == nullptr) {
        return;
    }
    auto& handle = FlowTable::tag_of(*flow);
    if (!flow_log_.note_sent(handle, outer, packet, now) && FlowLog::may_start(packet)) {
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

// --- Names ---

void GatewayTunnel::handle_assigned_ips(const ClientId& client, const ClientPolicy& policy, ByteSpan payload,
                                        Instant now) {
    auto message = p2p::decode_assigned_ips(payload);
    if (!message) {
        kLog.debug("Ignoring malformed control event", log::field("cid", client));
        return;
    }
    if (const auto status = names_.handle_request(client, policy, std::move(*message), now)) {
        send_status(client, *status, now);
    }
    finish_name_requests(now);
}

void GatewayTunnel::handle_name_found(const NameFound& found, Instant now) {
    if (const auto number = number_in_shard(shard_, found.id.number)) {
        names_.handle_addresses({*number}, found.addresses, found.lifetime, now);
        finish_name_requests(now);
    }
}

void GatewayTunnel::handle_name_failure(const NameLookUpFailed& failed, Instant now) {
    if (const auto number = number_in_shard(shard_, failed.id.number)) {
        names_.handle_failure({*number});
        finish_name_requests(now);
    }
}

void GatewayTunnel::finish_name_requests(Instant now) {
    while (const auto resolved = names_.poll_resolved()) {
        const auto& client = resolved->request.client;
        if (const auto peer = peers_.find(client); peer != peers_.end()) {
            send_status(client, names_.finish_request(*resolved, peer->second.policy, flows_, now), now);
        }
    }
}

void GatewayTunnel::send_status(const ClientId& client, const p2p::DomainStatus& status, Instant now) {
    const auto text = p2p::encode(status);
    if (const auto packet = p2p::make_control_packet(p2p::EventType::kDomainStatus, as_bytes(text))) {
        core_.send(client.uuid(), *packet, now);
    }
}

// --- Queries about names ---

void GatewayTunnel::set_nameservers(const SetSystemResolvers& resolvers, Instant now) {
    site_dns_.set_nameservers(resolvers.servers, now);
    send_dns_answers(now);
}

void GatewayTunnel::handle_dns_response(const DnsResponse& response, Instant now) {
    if (const auto number = number_in_shard(shard_, response.id.number)) {
        site_dns_.handle_response({*number}, response.message, now);
        send_dns_answers(now);
    }
}

void GatewayTunnel::handle_dns_failure(const DnsFailure& failure, Instant now) {
    if (const auto number = number_in_shard(shard_, failure.id.number)) {
        site_dns_.handle_failure({*number}, now);
        send_dns_answers(now);
    }
}

void GatewayTunnel::send_dns_answers(Instant now) {
    while (auto answer = site_dns_.poll_transmit()) {
        const auto packet = packet::IpPacket::parse(*answer);
        const auto client = clients_by_address_.find(packet.value().destination());
        if (client == clients_by_address_.end() || !peers_.at(client->second).policy.has_names()) {
            continue;  // may not ask any more
        }
        core_.send(client->second.uuid(), *answer, now);
    }
}

// --- Messages of the portal ---

void GatewayTunnel::handle_portal(const portal_api::ToGateway& message, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{[&](const portal_api::AuthorizeFlow& flow) {
                              if (is_expired(flow, wall_now)) {
                                  refuse_expired(flow, now, wall_now);
                              } else {
                                  authorize(flow, now);
                              }
                          },
                          [&](const auto& any) { handle(any, now); }},
               message);
    if (std::holds_alternative<portal_api::GatewayInit>(message)) {
        sweep(now, wall_now);  // the snapshot may have left clients with nothing, or with what has expired meanwhile
    }
    core_.note_input(now);
    drain_connections();
}

void GatewayTunnel::handle(const portal_api::GatewayInit& message, Instant now) {
    core_.update_relays({}, message.relays, now);
    core_.set_tun_config({.ipv4 = message.interface.ipv4,
                          .ipv6 = message.interface.ipv6,
                          .ipv4_routes = {peer_range(net::Family::kIpv4)},
                          .ipv6_routes = {peer_range(net::Family::kIpv6)}});
    site_dns_.set_addresses(message.interface.ipv4, message.interface.ipv6, now);
    reconcile(message.authorizations, now);
    flows_.invalidate();
}

/// To grant it until the next sweep would open a gap in what has ended, again and again, since the client asks anew.
/// The portal asks for no such thing, so its message took long, or our clock is wrong.
void GatewayTunnel::refuse_expired(const portal_api::AuthorizeFlow& message, Instant now, UnixSeconds wall_now) {
    const bool is_clock_wrong = wall_now - *message.expires_at > kLatestMessage;
    const bool warns = is_clock_wrong && now >= next_clock_warning_;
    if (warns) {
        next_clock_warning_ = now + kClockWarningInterval;
    }
    kLog.log(warns ? log::Level::kWarn : log::Level::kDebug,
             is_clock_wrong ? "Refusing access that has expired by our clock: is it right?"
                            : "Refusing access that has expired meanwhile",
             log::field("cid", message.client.id), log::field("rid", id_of(message.resource)),
             log::field("expires_at", to_text(message.expires_at)));
}

void GatewayTunnel::authorize(const portal_api::AuthorizeFlow& message, Instant now) {
    const auto& client = message.client;
    const auto& resource = id_of(message.resource);
    if (!core_.tun_config()) {
        kLog.debug("Ignoring authorization before init", log::field("cid", client.id), log::field("rid", resource));
        return;
    }
    const auto upserted = core_.connect({.id = client.id.uuid(),
                                         .key = client.public_key,
                                         .preshared_key = client.preshared_key,
                                         .local = message.gateway_ice_credentials,
                                         .remote = message.client_ice_credentials},
                                        now);
    if (!upserted) {
        return;
    }
    auto& peer = peers_.try_emplace(client.id, Peer{.ipv4 = client.ipv4, .ipv6 = client.ipv6}).first->second;
    const auto actor = message.subject.actor_id ? Uuid::parse(*message.subject.actor_id) : std::nullopt;
    peer.policy.set_host_addresses(host_addresses_);
    peer.owner = actor ? *actor : client.id.uuid();
    // A client may ask for the same again and again, and must not bury what it asked for before.
    kLog.log(peer.policy.contains(resource) ? log::Level::kDebug : log::Level::kInfo, "Allowing access to resource",
             log::field("cid", client.id), log::field("rid", resource),
             log::field("expires_at", to_text(message.expires_at)));
    if (peer.policy.allow(message.resource, message.expires_at)) {
        names_.forget_resource(client.id, resource, now);
    }
    flow_log_.note_authorization(message);
    records_.authorize(client.id.uuid(), resource, message.flow_logs_ingest_token, now);
    peer.reused_at = *upserted == connectivity::Upserted::kReused ? std::optional{now} : std::nullopt;
    peer.leaves_at.reset();
    clients_by_address_.insert_or_assign(peer.ipv4, client.id);
    clients_by_address_.insert_or_assign(peer.ipv6, client.id);
    flows_.invalidate();
    due_.bring_forward(Due::kExpirySweep, now + kExpirySweepInterval);
    // Before the candidates that the new connection has ready: a client ignores candidates of a gateway that it was
    // not told about yet.
    core_.send_to_portal(portal_api::FlowAuthorized{message.ref});
}

void GatewayTunnel::handle(const portal_api::AccessAuthorizationExpiryUpdated& message, Instant) {
    update_expiry(message.client_id, message.resource_id, message.expires_at);
}

void GatewayTunnel::handle(const portal_api::RejectAccess& message, Instant now) {
    const auto peer = peers_.find(message.client_id);
    if (peer == peers_.end() || !peer->second.policy.revoke(message.resource_id)) {
        kLog.debug("Nothing to revoke", log::field("cid", message.client_id), log::field("rid", message.resource_id));
        return;
    }
    kLog.info("Revoking access to resource", log::field("cid", message.client_id),
              log::field("rid", message.resource_id));
    names_.forget_resource(message.client_id, message.resource_id, now);
    records_.end(message.client_id.uuid(), message.resource_id, now);
    flows_.invalidate();
    if (peer->second.policy.empty()) {
        close_client(message.client_id, now);
    }
}

void GatewayTunnel::handle(const portal_api::ResourceUpdated& message, Instant) {
    for (auto& [client, peer] : peers_) {
        const auto updated = peer.policy.update_filters(message.resource);
        if (!updated && updated.error() == ClientPolicy::UpdateError::kTypeChanged) {
            kLog.error("Ignoring changed type of a resource in use", log::field("cid", client),
                       log::field("rid", id_of(message.resource)));
        }
    }
    flows_.invalidate();
}

void GatewayTunnel::handle(const portal_api::RelaysPresence& message, Instant now) {
    core_.update_relays(message.disconnected_ids, message.connected, now);
}

void GatewayTunnel::handle(const portal_api::ClientIceCandidates& message, Instant now) {
    core_.add_candidates(message.client_id.uuid(), message.candidates, now);
}

void GatewayTunnel::handle(const portal_api::InvalidateClientIceCandidates& message, Instant now) {
    core_.remove_candidates(message.client_id.uuid(), message.candidates, now);
}

// --- Clients and what they may reach ---

void GatewayTunnel::set_host_addresses(const SetHostAddresses& host) {
    host_addresses_ = std::make_shared<const ClientPolicy::Addresses>(host.addresses.begin(), host.addresses.end());
    for (auto& [client, peer] : peers_) {
        peer.policy.set_host_addresses(host_addresses_);
    }
    flows_.invalidate();
}

void GatewayTunnel::reconcile(const std::vector<portal_api::Authorization>& authorizations, Instant now) {
    std::map<ClientId, std::set<ResourceId>> listed;
    for (const auto& authorization : authorizations) {
        listed[authorization.client_id].insert(authorization.resource_id);
    }
    // a client that is not listed at all has nothing left either
    for (auto& [client, peer] : peers_) {
        for (const auto& resource : peer.policy.retain(listed[client])) {
            kLog.info("Revoking access to resource", log::field("cid", client), log::field("rid", resource));
            names_.forget_resource(client, resource, now);
            records_.end(client.uuid(), resource, now);
        }
    }
    for (const auto& [client, resource, expires_at] : authorizations) {
        update_expiry(client, resource, expires_at);
    }
}

void GatewayTunnel::update_expiry(const ClientId& client, const ResourceId& resource, UnixSeconds expires_at) {
    const auto peer = peers_.find(client);
    const auto before = peer == peers_.end() ? std::unexpected{ClientPolicy::UpdateError::kUnknown}
                                             : peer->second.policy.update_expiry(resource, expires_at);
    if (!before) {
        kLog.debug("Ignoring expiry of unknown authorization", log::field("cid", client), log::field("rid", resource));
        return;
    }
    if (*before != expires_at) {
        kLog.info("Expiry of access changed", log::field("cid", client), log::field("rid", resource),
                  log::field("old", to_text(*before)), log::field("new", to_text(expires_at)));
    }
}

void GatewayTunnel::sweep(Instant now, UnixSeconds wall_now) {
    std::vector<ClientId> finished;
    std::vector<ClientId> gone;
    for (auto& [client, peer] : peers_) {
        for (const auto& resource : peer.policy.revoke_expired(wall_now)) {
            kLog.info("Access to resource expired", log::field("cid", client), log::field("rid", resource));
            names_.forget_resource(client, resource, now);
            records_.end(client.uuid(), resource, now);
            flows_.invalidate();
        }
        if (peer.policy.empty()) {
            finished.push_back(client);
        } else if (peer.leaves_at && *peer.leaves_at <= now) {
            gone.push_back(client);
        }
    }
    for (const auto& client : finished) {
        close_client(client, now);
    }
    for (const auto& client : gone) {
        kLog.debug("Client said goodbye, and was not heard of since", log::field("cid", client));
        forget_client(client, now);
    }
    flow_log_.sweep(now, wall_now);
    records_.sweep(now, [this](const Uuid& client) { return core_.send_path(client); });
    const bool is_idle = peers_.empty() && flow_log_.size() == 0;
    due_.set(Due::kExpirySweep, is_idle ? std::nullopt : std::optional{now + kExpirySweepInterval});
}

void GatewayTunnel::close_client(const ClientId& client, Instant now) {
    kLog.debug("Last resource of client is gone", log::field("cid", client));
    core_.close(client.uuid(), now);
    forget_client(client, now);
}

void GatewayTunnel::forget_client(const ClientId& client, Instant now) {
    core_.forget(client.uuid(), now);
    const auto peer = peers_.find(client);
    if (peer == peers_.end()) {
        return;
    }
    for (const auto& address : {peer->second.ipv4, peer->second.ipv6}) {
        // The portal may have given the address to another client since.
        if (const auto owner = clients_by_address_.find(address);
            owner != clients_by_address_.end() && owner->second == client) {
            clients_by_address_.erase(owner);
        }
    }
    peers_.erase(peer);
    flow_log_.forget_client(client);
    names_.forget_client(client, now);
    records_.end_all_of(client.uuid(), now);
    flows_.forget_peer(client.uuid());
    flows_.invalidate();
}

void GatewayTunnel::drain_connections() {
    // Authorizations outlive connections: a client that lost its connection rightly believes it still has them.
    core_.drain_connections(overloaded{
        [](const connectivity::ConnectionEstablished&) {},
        [](const connectivity::ConnectionFailed&) {},
        [](const connectivity::ConnectionClosed&) {},
    });
}

// --- Time, end ---

void GatewayTunnel::handle_timeout(Instant now, UnixSeconds wall_now) {
    core_.handle_timeout(now);
    drain_connections();
    names_.handle_timeout(now);
    finish_name_requests(now);
    site_dns_.handle_timeout(now);
    send_dns_answers(now);
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kExpirySweep:
                sweep(now, wall_now);
                drain_connections();
                break;
        }
    });
}

std::optional<Instant> GatewayTunnel::poll_timeout() {
    return earliest(core_.poll_timeout(), due_.next(), names_.poll_timeout(), site_dns_.poll_timeout());
}

std::optional<GatewayEvent> GatewayTunnel::poll_event() {
    if (auto event = core_.poll_event()) {
        return std::visit([](auto& any) -> GatewayEvent { return std::move(any); }, *event);
    }
    if (auto look_up = names_.poll_lookup()) {
        return LookUpName{{id_of_shard(shard_, look_up->id.number)}, std::move(look_up->domain)};
    }
    if (auto event = site_dns_.poll_event()) {
        return std::visit(
            [&](auto& any) -> GatewayEvent {
                any.id.number = id_of_shard(shard_, any.id.number);
                return std::move(any);
            },
            *event);
    }
    if (auto tracked = records_.poll()) {
        return *std::move(tracked);
    }
    return std::nullopt;
}

void GatewayTunnel::shut_down(Instant now) {
    kLog.info("Shutting down");
    flow_log_.finish_all(now);
    records_.finish_all(now);
    core_.close_all(now);
    for (const auto& [client, peer] : peers_) {
        names_.forget_client(client, now);
    }
    peers_.clear();
    clients_by_address_.clear();
    due_.clear(Due::kExpirySweep);
    flows_.invalidate();
    drain_connections();
}

void GatewayTunnel::apply(const Command& command, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{[&](const portal_api::ToGateway& message) { handle_portal(message, now, wall_now); },
                          [&](const ShutDown&) { shut_down(now); },
                          [&](const NameFound& found) { handle_name_found(found, now); },
                          [&](const NameLookUpFailed& failed) { handle_name_failure(failed, now); },
                          [&](const DnsResponse& response) { handle_dns_response(response, now); },
                          [&](const DnsFailure& failure) { handle_dns_failure(failure, now); },
                          [&](const SetSystemResolvers& resolvers) { set_nameservers(resolvers, now); },
                          [&](const SetHostAddresses& host) { set_host_addresses(host); }},
               command);
}

std::optional<Uuid> GatewayTunnel::peer_of(const Command& command) {
    const auto* message = std::get_if<portal_api::ToGateway>(&command);
    if (message == nullptr) {
        return std::nullopt;
    }
    using Peer = std::optional<Uuid>;
    return std::visit(
        overloaded{
            [](const portal_api::GatewayInit&) -> Peer { return std::nullopt; },
            [](const portal_api::AuthorizeFlow& flow) -> Peer { return flow.client.id.uuid(); },
            [](const portal_api::AccessAuthorizationExpiryUpdated& update) -> Peer { return update.client_id.uuid(); },
            [](const portal_api::RejectAccess& reject) -> Peer { return reject.client_id.uuid(); },
            [](const portal_api::ResourceUpdated&) -> Peer { return std::nullopt; },
            [](const portal_api::RelaysPresence&) -> Peer { return std::nullopt; },
            [](const portal_api::ClientIceCandidates& added) -> Peer { return added.client_id.uuid(); },
            [](const portal_api::InvalidateClientIceCandidates& gone) -> Peer { return gone.client_id.uuid(); },
        },
        *message);
}

}  // namespace culvert::tunnel
