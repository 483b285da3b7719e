#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/proxy_addresses.h"
#include "culvert/dns/resources.h"
#include "culvert/dns/sentinels.h"
#include "culvert/dns/stub_io.h"
#include "culvert/dns/stub_resolver.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/tcp/dns_client.h"
#include "culvert/tcp/dns_server.h"
#include "culvert/tcp/packet_queue.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The client's stub resolver as IP packets: those that the host sends to the sentinel addresses go in, and those that
/// answer them come out; queries that go through the tunnel come out as packets of our own, and their answers are taken
/// out of what the tunnel brings (spec/dns.md sections 3, 7 and 8).
///
/// Sans-IO. After each input drain all three outputs. Packets that nobody fetches are lost beyond a limit, as packets
/// are.
class ClientDns {
public:
    /// What goes over the host's own network (Ask with ViaHost or DohServer, never with ViaTunnel), and what the tunnel
    /// has to do. A StopAsking may be about an Ask that was left out.
    using Event = std::variant<dns::Ask, dns::StopAsking, dns::ConnectSite, dns::NameAnswered>;
    /// When so many wait, only StopAsking is added: other queries fail, and who else is told something will be told
    /// again.
    static constexpr std::size_t kMaxEvents = 4096;

    explicit ClientDns(const Rng& rng);

    // --- Configuration ---

    /// Proxy addresses of the session before; how many were not taken.
    std::size_t restore(std::span<const dns::ProxyRecord> records) { return stub_.restore(records); }
    /// Our own addresses in the tunnel.
    void set_addresses(const net::IpAddress& ipv4, const net::IpAddress& ipv6, Instant now);
    /// Whether the sentinels changed, and the host has to be told.
    bool set_resolvers(const dns::PortalResolvers& portal, std::span<const net::IpAddress> system, Instant now);
    /// Which of the portal's resolvers are asked through the tunnel, and the resource through which each is reached.
    /// What was asked over TCP fails if this changes: the next gateway does not know the connection.
    void set_tunnelled(std::map<net::IpAddress, ResourceId> servers, Instant now);
    /// A DNS resource. False if `address` is no pattern: no name belongs to it then. Adding what exists replaces it.
    bool add_resource(ResourceId id, std::string_view address, dns::IpStack stack) {
        return stub_.add_resource(id, address, stack);
    }
    void remove_resource(ResourceId id, Instant now);

    /// A gateway serves this DNS resource now, or another one does; and none does any more.
    void handle_site_connected(ResourceId resource, const dns::SiteAddresses& addresses, Instant now);
    void handle_site_lost(ResourceId resource) { stub_.handle_site_lost(resource); }
    void handle_network_reset(Instant now);

    [[nodiscard]] const dns::Sentinels& sentinels() const { return stub_.sentinels(); }
    [[nodiscard]] const dns::Resources& resources() const { return stub_.resources(); }
    [[nodiscard]] const dns::ProxyAddresses& proxies() const { return stub_.proxies(); }
    /// Whether proxies().records() should be kept anew, since this was asked last.
    [[nodiscard]] bool take_records_changed() { return stub_.take_proxies_changed(); }

    // --- Packets ---

    /// A packet of the host, from one of our addresses, maybe a super-packet. True: it was for a sentinel or an LLMNR
    /// group, and whatever it was, nobody else gets it.
    bool handle_packet_from_host(const packet::IpPacket& packet, const packet::Offload& offload, Instant now);
    /// A packet for us out of the tunnel, whose source is known to be one that its gateway may speak for. True: it is
    /// not for the host, since it belongs to a query of ours.
    bool handle_packet_from_tunnel(const packet::IpPacket& packet, Instant now);
    /// The same for an ICMP error about a packet of ours.
    bool handle_icmp_error(const packet::IcmpError& error, Instant now);

    // --- What comes of an Ask ---

    void handle_response(dns::AskId id, ByteSpan message, Instant now);
    void handle_failure(dns::AskId id, Instant now);

    // --- Time and outputs ---

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    /// A complete packet for the TUN device.
    [[nodiscard]] std::optional<Bytes> poll_to_host();
    /// A complete packet from one of our addresses to a resolver or gateway inside the tunnel.
    [[nodiscard]] std::optional<Bytes> poll_to_tunnel();
    [[nodiscard]] std::optional<Event> poll_event();

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    [[nodiscard]] const std::optional<net::IpAddress>& own(net::Family family) const {
        return family == net::Family::kIpv4 ? own_v4_ : own_v6_;
    }
    void handle_datagram(const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan message, Instant now);
    void handle(const tcp::DnsServer::Query& query, Instant now);
    void handle(const tcp::DnsClient::Answer& answer, Instant now);
    void handle(dns::Answer& answer, Instant now);
    void handle(dns::Ask& ask, Instant now);
    void handle(const dns::StopAsking& stop, Instant now);
    void handle(dns::ConnectSite& site, Instant now);
    void handle(dns::NameAnswered& answered, Instant now);
    void ask_in_tunnel(const dns::ViaTunnel& route, dns::Ask& ask, Instant now);
    void answer_over_udp(const dns::Answer& answer);
    /// Passes on what the parts have for each other, until they have nothing more.
    void settle(Instant now);
    /// After a packet of the tunnel: all of those come along here, and few are ours.
    bool settle_if(bool is_ours, Instant now);

    std::optional<net::IpAddress> own_v4_;
    std::optional<net::IpAddress> own_v6_;
    std::map<net::IpAddress, ResourceId> tunnelled_;

    dns::StubResolver stub_;
    tcp::DnsServer server_;
    tcp::DnsClient client_;
    /// Queries over TCP through the tunnel, by the names that stub and TCP client have for them.
    std::map<tcp::QueryId, dns::AskId> streamed_;
    std::map<dns::AskId, tcp::QueryId> streams_;

    tcp::PacketQueue to_host_;
    tcp::PacketQueue to_tunnel_;
    std::deque<Event> events_;
};

}  // namespace culvert::tunnel
