#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/crypto/hash_key.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tcp/connection.h"
#include "culvert/tcp/constants.h"
#include "culvert/tcp/packet_queue.h"

namespace culvert::tcp {

/// Names a connection of one Endpoints for as long as it lives; never used again for another.
struct ConnectionId {
    std::uint64_t number = 0;

    friend constexpr auto operator<=>(const ConnectionId&, const ConnectionId&) = default;
};

/// Whether a packet's checksum tells something. What comes from the TUN device of our own machine may lack one.
enum class Checksums : std::uint8_t { kVerify, kIgnore };

/// TCP connections that end in this process instead of a socket of the kernel: packets of a TUN device or a tunnel in,
/// packets out (spec/dns.md section 8). Any number of addresses may be listened on; connections can be asked for from
/// any address.
///
/// Strangers cannot use it up: there is a limit for connections in all, per address listened on, and per peer, and one
/// for what is half open per peer. A half-open connection never keeps somebody else out: the oldest one, of the peer
/// that has most of them, gives way.
///
/// Sans-IO (base/sans_io.h): packets are polled with poll_transmit().
class Endpoints {
public:
    struct Limits {
        std::size_t connections = 256;
        std::size_t per_listener = 10;
        std::size_t per_peer = 64;
        std::size_t half_open_per_peer = 8;
        /// Connections that have ended and are remembered.
        std::size_t time_wait = 64;
        /// After which Signal::kIdle comes.
        Duration idle_time = kDnsServerIdleTime;
    };

    struct Event {
        ConnectionId connection;
        Signal signal;

        friend bool operator==(const Event&, const Event&) = default;
    };

    enum class ConnectError : std::uint8_t { kTooManyConnections, kNoPort, kFamilyMismatch };

    Endpoints(const Limits& limits, Rng rng);

    /// Lets peers connect to `local`; Signal::kOpened says that one has.
    void listen(const net::SocketAddress& local) { listeners_.insert(local); }
    /// Connections that exist go on.
    void stop_listening(const net::SocketAddress& local) { listeners_.erase(local); }

    /// Asks `remote` for a connection, from a random port.
    [[nodiscard]] std::expected<ConnectionId, ConnectError> connect(const net::IpAddress& local,
                                                                    const net::SocketAddress& remote, Instant now);

    /// False: the packet is for somebody else, since it is no TCP, or it goes neither to where we listen nor to a
    /// connection. Takes super-packets as well.
    bool handle_packet(const packet::IpPacket& packet, Checksums checksums, Instant now);
    /// What a router says about a packet of ours. False: it is about somebody else's.
    bool handle_icmp_error(const packet::IcmpError& error, Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<Bytes> poll_transmit() { return packets_.pop(); }
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    // One connection. All of these do nothing, and say so, if it has ended.

    [[nodiscard]] bool exists(ConnectionId id) const { return routes_.contains(id); }
    [[nodiscard]] std::optional<Route> route(ConnectionId id) const;
    [[nodiscard]] std::size_t room(ConnectionId id) const;
    /// Written and not yet acknowledged.
    [[nodiscard]] std::size_t unacknowledged(ConnectionId id) const;
    /// Takes all of it or nothing.
    [[nodiscard]] bool write(ConnectionId id, ByteSpan bytes, Instant now);
    /// Valid until the next call that changes something.
    [[nodiscard]] ByteSpan readable(ConnectionId id) const;
    /// Requires count <= readable(id).size().
    void consume(ConnectionId id, std::size_t count, Instant now);
    void restart_idle(ConnectionId id, Instant now);
    void close(ConnectionId id, Instant now);
    /// The connection is gone at once, without an event.
    void abort(ConnectionId id, Instant now);
    void abort_all(Instant now);

    /// All that are remembered, also those that have ended.
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        ConnectionId id;
        Connection connection;
        bool is_passive;
        bool was_opened = false;
        std::uint32_t queued_signals = 0;
        std::optional<Instant> timeout;
    };
    using Entries = std::map<Route, std::unique_ptr<Entry>>;

    Entry& add(const Route& route, const Segment* syn, Instant now);
    bool handle_stranger(const Route& route, const Segment& segment, Instant now);
    [[nodiscard]] bool make_room_for(const Route& route);
    /// Of those that `is_candidate`, the oldest half-open one of the peer that has most.
    template <typename Predicate>
    [[nodiscard]] bool drop_half_open(Predicate is_candidate);
    [[nodiscard]] Sequence initial_sequence(const Route& route, Instant now) const;
    [[nodiscard]] Entry* find(ConnectionId id) const;
    /// After every use of a connection: what it has to say, when it wants to be called, whether it still exists.
    void settle(Entry& entry);
    void collect_signals(Entry& entry);
    void erase(Entries::iterator entry);

    Limits limits_;
    Rng rng_;
    crypto::HashKey sequence_key_;
    std::set<net::SocketAddress> listeners_;
    PacketQueue packets_;
    std::deque<Event> events_;
    Entries entries_;
    std::map<ConnectionId, Route> routes_;
    std::set<std::pair<Instant, ConnectionId>> timeouts_;
    std::set<ConnectionId> ended_;  ///< In TIME-WAIT.
    std::uint64_t next_id_ = 1;
};

}  // namespace culvert::tcp
