// Packets of a gateway: from resources to clients, and from clients to resources.

#include <expected>
#include <optional>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/ecn.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/gateway/packet_policy.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

// --- From resources to clients ---

void GatewayTunnel::handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) {
    auto parsed = core_.read(packet, now);
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
    const auto client = clients_.find_by_address(packet.destination());
    if (!client) {
        return nat::SessionTable::In::kNotTranslated;
    }
    const auto result =
        packet.source_value() ? names_.translate_in(*client, packet, now) : pass_error_from_name(*client, packet, now);
    if (result == nat::SessionTable::In::kLate) {
        kLog.trace("Translated an error about a packet to a name, or dropped what is late for one",
                   log::field("cid", *client));
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
    const auto client = clients_.find_by_address(destination);
    if (!client) {
        kLog.debug("Dropped packet to unknown client", log::field("destination", destination));
        return std::nullopt;
    }
    const auto& policy = clients_.policy_of(*client);
    auto verdict = core_.is_own_address(source) ? check_from_gateway(packet)
                   : is_proxy_address(source)   ? check_from_name(policy, names_.of(*client), packet)
                                                : check_inbound(policy, packet);
    if (verdict && !is_asked_for(*client, packet, flow, now)) {
        verdict = std::unexpected{Refusal::kUnasked};
    }
    if (!verdict) {
        kLog.debug("Dropped packet to client", log::field("cid", *client), log::field("source", source),
                   log::field("reason", to_text(verdict.error())));
        return std::nullopt;
    }
    return client;
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

// --- From clients to resources ---

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
        auto* peer = clients_.find(client);
        if (peer == nullptr) {
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
        peer->leaves_at.reset();
        if (!accept_outbound(client, *peer, packet, key, now)) {
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
    DeviceCore::deliver(*received, tun);
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
    const bool is_from_client = peer.has_address(packet.source());
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

// --- From clients to this gateway ---

void GatewayTunnel::handle_control_packet(const ClientId& client, ByteSpan packet, Instant now) {
    const auto control = p2p::parse_control_packet(packet);
    const auto* peer = clients_.find(client);
    if (!control || peer == nullptr) {
        return;
    }
    switch (control->event_type) {
        case static_cast<std::uint8_t>(p2p::EventType::kGoodbye):
            handle_goodbye(client, now);
            break;
        case static_cast<std::uint8_t>(p2p::EventType::kAssignedIps):
            handle_assigned_ips(client, peer->policy, control->payload, now);
            break;
        default:
            kLog.debug("Ignoring control event", log::field("cid", client), log::field("event", control->event_type));
            break;
    }
}

void GatewayTunnel::handle_goodbye(const ClientId& client, Instant now) {
    auto* peer = clients_.find(client);
    if (peer != nullptr && peer->reused_at && now < *peer->reused_at + kGoodbyeMayBeOld) {
        kLog.debug("Client said goodbye, maybe before it was allowed more", log::field("cid", client));
        peer->leaves_at = now + kGoodbyeDelay;
        flows_.invalidate();  // its next packet is looked at
        return;
    }
    kLog.debug("Client said goodbye", log::field("cid", client));
    forget_client(client, now);
}

}  // namespace culvert::tunnel
