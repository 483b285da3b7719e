#include "culvert/tunnel/client/dns/client_dns.h"

#include <algorithm>
#include <set>

#include "culvert/base/deadlines.h"
#include "culvert/base/overloaded.h"
#include "culvert/base/snapshot.h"
#include "culvert/dns/address_ranges.h"
#include "culvert/dns/constants.h"
#include "culvert/observability/log.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"dns"};

constexpr std::size_t max_udp_payload(net::Family family) {
    const auto ip_header = family == net::Family::kIpv4 ? packet::kIpv4HeaderLength : packet::kIpv6HeaderLength;
    return packet::kMaxIpPacket - ip_header - packet::kUdpHeaderLength;
}

}  // namespace

ClientDns::ClientDns(const Rng& rng)
    : stub_{rng.child("stub")}, server_{rng.child("TCP server")}, client_{rng.child("TCP client")} {}

// --- Configuration ---

void ClientDns::set_addresses(const net::IpAddress& ipv4, const net::IpAddress& ipv6, Instant now) {
    own_v4_ = ipv4;
    own_v6_ = ipv6;
    client_.set_local_addresses(ipv4, ipv6, now);
    settle(now);
}

bool ClientDns::set_resolvers(const dns::PortalResolvers& portal, std::span<const net::IpAddress> system, Instant now) {
    const bool is_changed = stub_.set_resolvers(portal, system, now);
    if (is_changed) {
        std::set<net::SocketAddress> listening;
        for (const auto& mapping : stub_.sentinels().mappings()) {
            listening.insert({mapping.sentinel, dns::kDnsPort});
        }
        server_.set_addresses(std::move(listening), now);
        client_.reset(now);
    }
    settle(now);
    return is_changed;
}

void ClientDns::set_tunnelled(std::map<net::IpAddress, ResourceId> servers, Instant now) {
    if (servers == tunnelled_) {
        return;
    }
    tunnelled_ = std::move(servers);
    std::set<net::IpAddress> addresses;
    for (const auto& [address, resource] : tunnelled_) {
        addresses.insert(address);
    }
    stub_.set_tunnelled(std::move(addresses), now);
    client_.reset(now);
    settle(now);
}

void ClientDns::remove_resource(ResourceId id, Instant now) {
    stub_.remove_resource(id, now);
    settle(now);
}

void ClientDns::handle_site_connected(ResourceId resource, const dns::SiteAddresses& addresses, Instant now) {
    stub_.handle_site_connected(resource, addresses, now);
    settle(now);
}

void ClientDns::handle_network_reset(Instant now) {
    stub_.handle_network_reset(now);
    client_.reset(now);
    settle(now);
}

// --- Packets ---

bool ClientDns::handle_packet_from_host(const packet::IpPacket& packet, const packet::Offload& offload, Instant now) {
    const auto destination = packet.destination();
    const bool is_llmnr = dns::is_llmnr_group(destination);
    if (!is_llmnr && !dns::is_sentinel_address(destination)) {
        return false;
    }
    if (packet.is_tcp() && !is_llmnr) {
        server_.handle_packet(packet, tcp::Checksums::kIgnore, now);
        settle(now);
        return true;
    }
    if (!packet.is_udp()) {
        return true;
    }
    const net::SocketAddress from{packet.source(), packet.source_port()};
    const net::SocketAddress to{destination, packet.destination_port()};
    ByteSpan rest = packet.payload();
    if (offload.kind == packet::Offload::Kind::kNone) {
        handle_datagram(from, to, rest, now);
        return true;
    }
    while (!rest.empty() && offload.segment_size > 0) {
        const auto size = std::min<std::size_t>(rest.size(), offload.segment_size);
        handle_datagram(from, to, rest.first(size), now);
        rest = rest.subspan(size);
    }
    return true;
}

void ClientDns::handle_datagram(const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan message,
                                Instant now) {
    const dns::Requester requester{.client = from, .asked = to};
    if (dns::is_llmnr_group(to.ip)) {
        stub_.handle_llmnr(requester, message, now);
    } else if (!stub_.handle_query(requester, message, now)) {
        return;  // says why
    }
    settle(now);
}

bool ClientDns::handle_packet_from_tunnel(const packet::IpPacket& packet, Instant now) {
    const auto destination = packet.destination();
    if (destination != own(destination.family())) {
        return false;
    }
    if (packet.is_tcp()) {
        return settle_if(client_.handle_packet(packet, tcp::Checksums::kVerify, now), now);
    }
    if (!packet.is_udp()) {
        return false;
    }
    const net::SocketAddress from{packet.source(), packet.source_port()};
    const bool is_ours = stub_.owns_tunnel_port(from, packet.destination_port(), now);
    if (is_ours && packet.checksums_are_valid()) {
        stub_.handle_tunnel_datagram(from, packet.destination_port(), packet.payload(), now);
    }
    return settle_if(is_ours, now);
}

bool ClientDns::handle_icmp_error(const packet::IcmpError& error, Instant now) {
    const auto& refused = error.embedded;
    if (refused.source != own(refused.source.family())) {
        return false;
    }
    if (refused.source_value.protocol != packet::L4Protocol::kUdp) {
        return settle_if(client_.handle_icmp_error(error, now), now);
    }
    const net::SocketAddress server{refused.destination, refused.destination_value.value};
    const auto port = refused.source_value.value;
    const bool is_ours = stub_.owns_tunnel_port(server, port, now);
    stub_.handle_tunnel_unreachable(server, port, now);
    return settle_if(is_ours, now);
}

// --- What comes of an Ask ---

void ClientDns::handle_response(dns::AskId id, ByteSpan message, Instant now) {
    stub_.handle_response(id, message, now);
    settle(now);
}

void ClientDns::handle_failure(dns::AskId id, Instant now) {
    stub_.handle_failure(id, now);
    settle(now);
}

// --- Time and outputs ---

void ClientDns::handle_timeout(Instant now) {
    server_.handle_timeout(now);
    client_.handle_timeout(now);
    settle(now);
    stub_.handle_timeout(now);
    settle(now);
}

std::optional<Instant> ClientDns::poll_timeout() const {
    return earliest(server_.poll_timeout(), client_.poll_timeout(), stub_.poll_timeout());
}

std::optional<Bytes> ClientDns::poll_to_host() {
    auto packet = to_host_.pop();
    return packet ? std::move(packet) : server_.poll_transmit();
}

std::optional<Bytes> ClientDns::poll_to_tunnel() {
    auto packet = to_tunnel_.pop();
    return packet ? std::move(packet) : client_.poll_transmit();
}

std::optional<ClientDns::Event> ClientDns::poll_event() {
    if (events_.empty()) {
        return std::nullopt;
    }
    auto event = std::move(events_.front());
    events_.pop_front();
    return event;
}

void ClientDns::describe(Snapshot& out) const {
    out.line("client_dns").field("connections", server_.connections()).field("streamed", streamed_.size());
    out.nested([&] { stub_.describe(out); });
}

// --- Between the parts ---

bool ClientDns::settle_if(bool is_ours, Instant now) {
    if (is_ours) {
        settle(now);
    }
    return is_ours;
}

void ClientDns::settle(Instant now) {
    while (true) {
        if (const auto query = server_.poll_query()) {
            handle(*query, now);
        } else if (const auto closed = server_.poll_closed()) {
            stub_.handle_connection_closed(closed->number, now);
        } else if (const auto answer = client_.poll_answer()) {
            handle(*answer, now);
        } else if (auto output = stub_.poll_output()) {
            std::visit([&](auto& it) { handle(it, now); }, *output);
        } else {
            return;
        }
    }
}

void ClientDns::handle(const tcp::DnsServer::Query& query, Instant now) {
    const dns::Requester requester{.client = query.client,
                                   .asked = query.sentinel,
                                   .transport = dns::Transport::kTcp,
                                   .connection = query.connection.number};
    if (!stub_.handle_query(requester, query.message, now)) {
        server_.reject(query.connection, now);
    }
}

void ClientDns::handle(const tcp::DnsClient::Answer& answer, Instant now) {
    const auto found = streamed_.find(answer.query);
    if (found == streamed_.end()) {
        return;
    }
    // It ends the Ask in any case, and StopAsking comes of that.
    const auto id = found->second;
    answer.message.empty() ? stub_.handle_failure(id, now) : stub_.handle_response(id, answer.message, now);
}

void ClientDns::handle(dns::Answer& answer, Instant now) {
    if (answer.to.transport == dns::Transport::kTcp) {
        server_.respond({answer.to.connection}, answer.message, now);
    } else {
        answer_over_udp(answer);
    }
}

void ClientDns::answer_over_udp(const dns::Answer& answer) {
    auto from = answer.to.asked;
    if (dns::is_llmnr_group(from.ip)) {
        // Systems drop what comes from a group, and what comes from themselves.
        const auto& mappings = stub_.sentinels().mappings();
        const auto sentinel =
            std::ranges::find(mappings, from.family(), [](const auto& mapping) { return mapping.sentinel.family(); });
        if (sentinel == mappings.end()) {
            return;
        }
        from.ip = sentinel->sentinel;
    }
    to_host_.push(packet::make_udp(from, answer.to.client, answer.message));
}

void ClientDns::handle(dns::Ask& ask, Instant now) {
    if (const auto* route = std::get_if<dns::ViaTunnel>(&ask.route)) {
        ask_in_tunnel(*route, ask, now);
    } else if (events_.size() < kMaxEvents) {
        events_.emplace_back(std::move(ask));
    } else {
        stub_.handle_failure(ask.id, now);
    }
}

void ClientDns::ask_in_tunnel(const dns::ViaTunnel& route, dns::Ask& ask, Instant now) {
    if (ask.transport == dns::Transport::kTcp) {
        const auto query = client_.ask(route.server, std::move(ask.message), now);
        streamed_.emplace(query, ask.id);
        streams_.emplace(ask.id, query);
        return;
    }
    const auto family = route.server.family();
    // A server of the other family may be asked in place of one that is silent, and has less room for a query.
    if (!own(family) || ask.message.size() > max_udp_payload(family)) {
        stub_.handle_failure(ask.id, now);
        return;
    }
    to_tunnel_.push(packet::make_udp({*own(family), route.local_port}, route.server, ask.message));
}

void ClientDns::handle(const dns::StopAsking& stop, Instant) {
    if (const auto found = streams_.find(stop.id); found != streams_.end()) {
        client_.cancel(found->second);
        streamed_.erase(found->second);
        streams_.erase(found);
        return;
    }
    events_.emplace_back(stop);
}

void ClientDns::handle(dns::ConnectSite& site, Instant) {
    if (events_.size() < kMaxEvents) {
        events_.emplace_back(site);
    }
}

void ClientDns::handle(dns::NameAnswered& answered, Instant) {
    if (events_.size() < kMaxEvents) {
        events_.emplace_back(std::move(answered));
    }
}

}  // namespace culvert::tunnel
