#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tcp/endpoints.h"
#include "culvert/tcp/message_reader.h"

namespace culvert::tcp {

/// Names a query of one DnsClient; never used again for another.
struct QueryId {
    std::uint64_t number = 0;

    friend constexpr auto operator<=>(const QueryId&, const QueryId&) = default;
};

/// The client side of DNS over TCP, towards resolvers that are reached by IP packets through the tunnel (RFC 7766,
/// spec/dns.md section 8.3). One connection per resolver, opened by the first query and closed when idle; all queries
/// go over it, under ids of our own choice, since some systems always use the same.
///
/// Each query has exactly one answer, within kDnsQueryTime; an empty one means that there is none, and SERVFAIL for
/// whoever asked. A resolver that closes the connection under a query is asked once more. One that answers what it was
/// not asked is not listened to any further: all that it was asked fails.
///
/// Sans-IO (base/sans_io.h).
class DnsClient {
public:
    /// Queries without an answer, in all; further ones fail.
    static constexpr std::size_t kMaxQueries = 1000;

    struct Answer {
        QueryId query;
        /// With the id of the query. Empty: there is none.
        Bytes message;

        friend bool operator==(const Answer&, const Answer&) = default;
    };

    explicit DnsClient(Rng rng);

    /// Where connections come from, one address per family: ours in the tunnel. A change is a reset().
    void set_local_addresses(std::optional<net::IpAddress> v4, std::optional<net::IpAddress> v6, Instant now);

    /// Requires a query with at least a header, of at most 65535 bytes.
    [[nodiscard]] QueryId ask(const net::SocketAddress& resolver, Bytes query, Instant now);
    /// Nobody waits for it any more. It may have been answered already.
    void cancel(QueryId id);

    /// False: not for us, even if it comes from a resolver.
    bool handle_packet(const packet::IpPacket& packet, Checksums checksums, Instant now);
    bool handle_icmp_error(const packet::IcmpError& error, Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<Answer> poll_answer();
    [[nodiscard]] std::optional<Bytes> poll_transmit() { return endpoints_.poll_transmit(); }
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    /// All queries fail and all connections end, because they may lead to other gateways now than those that know them.
    void reset(Instant now);

private:
    struct Query {
        net::SocketAddress resolver;
        Bytes message;
        Instant ends_at;
        bool was_repeated = false;
    };
    struct Resolver {
        ConnectionId connection;
        bool was_opened = false;
        MessageReader reader;
        /// By the ids that are used on the connection: what was asked, or is over and may be answered all the same.
        std::map<std::uint16_t, std::optional<QueryId>> asked;
        /// What waits for room.
        std::deque<QueryId> unsent;
    };
    using Resolvers = std::map<net::SocketAddress, Resolver>;

    void send(QueryId id, Instant now);
    [[nodiscard]] Resolver* connected(const net::SocketAddress& address, Instant now);
    [[nodiscard]] bool write(Resolver& resolver, QueryId id, const Query& query, Instant now);
    void write_unsent(Resolver& resolver, Instant now);
    void handle_events(Instant now);
    void handle(const Endpoints::Event& event, Instant now);
    void read(Resolvers::iterator resolver, Instant now);
    /// False: that was no answer to anything.
    [[nodiscard]] bool take_answer(Resolver& resolver, Bytes message);
    enum class Loss : std::uint8_t { kMayAskAgain, kFails };
    void lose(Resolvers::iterator resolver, Loss loss, Instant now);
    void fail(QueryId id);
    /// Takes it from what waits, and from what was asked if that is answered all the same.
    static void forget(Resolver& resolver, QueryId id);
    [[nodiscard]] Resolvers::iterator find(ConnectionId connection);

    Endpoints endpoints_;
    Rng rng_;
    std::optional<net::IpAddress> local_v4_;
    std::optional<net::IpAddress> local_v6_;
    /// In the order in which they end.
    std::map<QueryId, Query> queries_;
    Resolvers resolvers_;
    std::deque<Answer> answers_;
    std::uint64_t next_id_ = 1;
};

}  // namespace culvert::tcp
