#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tcp/endpoints.h"
#include "culvert/tcp/message_reader.h"

namespace culvert::tcp {

/// The server side of DNS over TCP on the sentinel addresses (RFC 7766, spec/dns.md section 8.1): any number of queries
/// per connection, answered in any order.
///
/// A query is matched with its answer by connection and id; what is answered too late goes nowhere. Connections that
/// nobody uses are closed. A peer that only finished sending still gets the answers that it waits for.
///
/// Sans-IO (base/sans_io.h). Knows nothing of DNS but the length in front of a message and the id at its beginning:
/// whoever takes the queries parses them, and calls reject() for one that is none.
class DnsServer {
public:
    /// In all, to one sentinel, and of one stranger.
    static constexpr std::size_t kMaxConnections = 256;
    static constexpr std::size_t kMaxConnectionsPerSentinel = 10;
    static constexpr std::size_t kMaxConnectionsPerStranger = 10;
    /// Queries of one connection that are not answered; further ones wait to be read.
    static constexpr std::size_t kMaxWaiting = 100;

    struct Query {
        ConnectionId connection;
        net::SocketAddress sentinel;
        net::SocketAddress client;
        /// At least a header.
        Bytes message;
    };

    /// Who connects: programs of one machine, behind one address, or machines of which none shall keep the others out.
    enum class Peers : std::uint8_t { kOneMachine, kStrangers };
    explicit DnsServer(Rng rng, Peers peers = Peers::kOneMachine);

    /// Where queries are taken. If this is not what it was, all connections end: the answers of whoever was asked
    /// before are none of the new one's.
    void set_addresses(std::set<net::SocketAddress> addresses, Instant now);

    /// False: not for us.
    bool handle_packet(const packet::IpPacket& packet, Checksums checksums, Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<Query> poll_query();
    /// A connection that ended while it waited for answers. Those that set_addresses() ends are not named.
    [[nodiscard]] std::optional<ConnectionId> poll_closed();
    [[nodiscard]] std::optional<Bytes> poll_transmit() { return endpoints_.poll_transmit(); }
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return endpoints_.poll_timeout(); }

    /// Answers the query of this connection that has the id of `message`. Nothing happens if there is none (any more).
    /// Requires a message of 2 to 65535 bytes.
    void respond(ConnectionId connection, ByteSpan message, Instant now);
    /// What the connection sent is no query: it is reset.
    void reject(ConnectionId connection, Instant now);

    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

private:
    struct Connection {
        MessageReader reader;
        std::set<std::uint16_t> waiting;  ///< Ids.
        /// Has the id of one that waits, whose answer could be taken for its own: it is handed out after that.
        std::optional<Bytes> next;
        bool peer_closed = false;
    };

    void handle_events(Instant now);
    void handle(const Endpoints::Event& event, Instant now);
    void read(ConnectionId id, Connection& connection, Instant now);
    /// The next query, once it is complete; what is none resets the connection.
    [[nodiscard]] std::optional<Bytes> read_message(ConnectionId id, Connection& connection, Instant now);
    void finish_if_done(ConnectionId id, const Connection& connection, Instant now);
    void close(ConnectionId id, Instant now);
    void reset(ConnectionId id, Instant now);
    void erase(ConnectionId id);

    Endpoints endpoints_;
    std::set<net::SocketAddress> addresses_;
    std::map<ConnectionId, Connection> connections_;
    std::deque<Query> queries_;
    std::deque<ConnectionId> closed_;
};

}  // namespace culvert::tcp
