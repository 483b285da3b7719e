#include "culvert/tunnel/gateway/site_dns.h"

#include <set>
#include <utility>

#include "culvert/base/deadlines.h"
#include "culvert/base/overloaded.h"
#include "culvert/dns/constants.h"
#include "culvert/net/socket_address.h"
#include "culvert/observability/log.h"
#include "culvert/packet/builder.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

/// What nameservers are compared by: a name that is kept for such uses (RFC 2606), and not one whose owner learns of
/// every gateway.
const dns::Name& probe_name() {
    static const dns::Name kName = dns::Name::parse("example.com").value();
    return kName;
}

}  // namespace

SiteDns::SiteDns(const Rng& rng, Instant now)
    : rng_{rng}, server_{rng.child("TCP server"), tcp::DnsServer::Peers::kStrangers} {
    resolver_.emplace(nameservers_, probe_name(), rng_, now);
}

void SiteDns::set_addresses(const net::IpAddress& ipv4, const net::IpAddress& ipv6, Instant now) {
    server_.set_addresses({{ipv4, dns::kGatewayDnsPort}, {ipv6, dns::kGatewayDnsPort}}, now);
}

void SiteDns::set_nameservers(const std::vector<net::IpAddress>& servers, Instant now) {
    if (servers == nameservers_) {
        return;
    }
    kLog.info("Nameservers for clients changed", log::field("count", servers.size()));
    for (const auto& [id, ask] : std::map{asks_}) {
        resolver_->handle_failure(ask);
    }
    settle(now);
    nameservers_ = servers;
    rng_ = rng_.child("next");
    resolver_.emplace(nameservers_, probe_name(), rng_, now);
    settle(now);
}

bool SiteDns::is_query(const packet::IpPacket& packet) {
    return (packet.is_udp() || packet.is_tcp()) && packet.destination_port() == dns::kGatewayDnsPort;
}

void SiteDns::handle_packet(const packet::IpPacket& packet, Instant now) {
    if (packet.is_tcp()) {
        server_.handle_packet(packet, tcp::Checksums::kVerify, now);
    } else if (packet.checksums_are_valid()) {
        const dns::Requester requester{.client = {packet.source(), packet.source_port()},
                                       .asked = {packet.destination(), packet.destination_port()}};
        static_cast<void>(resolver_->handle_query(requester, packet.payload(), now));  // says why not
    }
    settle(now);
}

void SiteDns::handle_response(dns::AskId id, ByteSpan message, Instant now) {
    if (const auto found = asks_.find(id); found != asks_.end()) {
        resolver_->handle_response(found->second, message, now);
        settle(now);
    }
}

void SiteDns::handle_failure(dns::AskId id, Instant now) {
    if (const auto found = asks_.find(id); found != asks_.end()) {
        resolver_->handle_failure(found->second);
        settle(now);
    }
}

void SiteDns::handle_timeout(Instant now) {
    resolver_->handle_timeout(now);
    server_.handle_timeout(now);
    settle(now);
}

std::optional<Instant> SiteDns::poll_timeout() const {
    return earliest(resolver_->poll_timeout(), server_.poll_timeout());
}

void SiteDns::settle(Instant now) {
    while (const auto query = server_.poll_query()) {
        const dns::Requester requester{.client = query->client,
                                       .asked = query->sentinel,
                                       .transport = dns::Transport::kTcp,
                                       .connection = query->connection.number};
        if (!resolver_->handle_query(requester, query->message, now)) {
            server_.reject(query->connection, now);
        }
    }
    while (auto output = resolver_->poll_output()) {
        std::visit(overloaded{
                       [&](dns::Answer& answer) { handle(answer, now); }, [&](dns::Ask& ask) { handle(ask); },
                       [&](const dns::StopAsking& stop) { handle(stop); },
                       [](const dns::ConnectSite&) {},   // a site asks no other site
                       [](const dns::NameAnswered&) {},  // and gives no addresses to names
                   },
                   *output);
    }
}

void SiteDns::handle(dns::Answer& answer, Instant now) {
    const auto& to = answer.to;
    switch (to.transport) {
        case dns::Transport::kTcp:
            server_.respond({to.connection}, answer.message, now);
            break;
        case dns::Transport::kUdp:
            datagrams_.push_back(packet::make_udp(to.asked, to.client, answer.message));
            break;
    }
}

void SiteDns::handle(dns::Ask& ask) {
    const dns::AskId id{next_ask_++};
    asks_.emplace(id, ask.id);
    ids_.emplace(ask.id, id);
    ask.id = id;
    events_.emplace_back(std::move(ask));
}

void SiteDns::handle(const dns::StopAsking& stop) {
    const auto found = ids_.find(stop.id);
    if (found == ids_.end()) {
        return;
    }
    events_.emplace_back(dns::StopAsking{found->second});
    asks_.erase(found->second);
    ids_.erase(found);
}

std::optional<Bytes> SiteDns::poll_transmit() {
    if (!datagrams_.empty()) {
        std::optional next{std::move(datagrams_.front())};
        datagrams_.pop_front();
        return next;
    }
    return server_.poll_transmit();
}

std::optional<SiteDns::Event> SiteDns::poll_event() {
    if (events_.empty()) {
        return std::nullopt;
    }
    std::optional next{std::move(events_.front())};
    events_.pop_front();
    return next;
}

}  // namespace culvert::tunnel
