#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/dns/site_resolver.h"
#include "culvert/dns/stub_io.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tcp/dns_server.h"

namespace culvert::tunnel {

/// What a gateway answers on its tunnel addresses, UDP and TCP port 53535, as IP packets: queries of clients go in, and
/// the packets that answer them come out (spec/dns.md section 10.4). The kernel of the gateway sees nothing of them.
///
/// Sans-IO: events are what has to be asked of the host's nameservers.
class SiteDns {
public:
    using Event = std::variant<dns::Ask, dns::StopAsking>;

    SiteDns(const Rng& rng, Instant now);

    /// Our own in the tunnel.
    void set_addresses(const net::IpAddress& ipv4, const net::IpAddress& ipv6, Instant now);
    /// What is asked of others fails, unless these are the same.
    void set_nameservers(const std::vector<net::IpAddress>& servers, Instant now);

    /// Whether a packet to one of our addresses is for us.
    [[nodiscard]] static bool is_query(const packet::IpPacket& packet);
    /// Requires is_query(), and that its sender may ask.
    void handle_packet(const packet::IpPacket& packet, Instant now);

    void handle_response(dns::AskId id, ByteSpan message, Instant now);
    void handle_failure(dns::AskId id, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    /// A complete packet to a client.
    [[nodiscard]] std::optional<Bytes> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();

private:
    void settle(Instant now);
    void handle(dns::Answer& answer, Instant now);
    void handle(dns::Ask& ask);
    void handle(const dns::StopAsking& stop);

    Rng rng_;
    std::vector<net::IpAddress> nameservers_;
    std::optional<dns::SiteResolver> resolver_;
    tcp::DnsServer server_;

    /// Resolvers come and go, and each counts from the beginning: by our ids, and by those of the one that is.
    std::uint64_t next_ask_ = 0;
    std::map<dns::AskId, dns::AskId> asks_;
    std::map<dns::AskId, dns::AskId> ids_;
    std::deque<Event> events_;
    std::deque<Bytes> datagrams_;
};

static_assert(SansIo<SiteDns>);

}  // namespace culvert::tunnel
