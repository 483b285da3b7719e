#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/connectivity/events.h"
#include "culvert/crypto/keys.h"
#include "culvert/ice/agent.h"
#include "culvert/net/transmit.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/wireguard/error.h"

namespace culvert::packet {
class Segmenter;
}

namespace culvert::connectivity {

/// A client controls ICE and initiates WireGuard; a gateway follows.
enum class Role { kClient, kGateway };

using Credentials = ice::Credentials;

/// A TURN server as the portal describes it: reachable over IPv4, IPv6 or both.
struct RelayServer {
    RelayId id;
    std::optional<net::SocketAddress> v4;
    std::optional<net::SocketAddress> v6;
    std::string username;
    std::string password;
    std::string realm = "firezone";

    friend bool operator==(const RelayServer&, const RelayServer&) = default;
};

/// What upsert_connection() did.
enum class Upserted {
    kCreated,
    /// Nothing about the connection had changed.
    kReused,
    /// Keys or credentials were others: the peer has started anew.
    kReplaced,
};

enum class UpsertError {
    /// No relay is known: reconnect to the portal to get some.
    kNoRelays,
};

/// Why a datagram was dropped. Nothing here harms the connection that it names or pretends to belong to.
struct DecapsulateError {
    enum class Kind {
        kTooLong,
        kUnknownRelay,
        kUnknownChannel,
        kUnknownStun,
        kNotWireGuard,
        kUnknownPeer,
        kUnknownIndex,
        kHandshake,
        kDecryption,
    };

    Kind kind;
    /// The peer was ours until a moment ago, so that stray packets are to be expected (section 11).
    bool is_recently_disconnected = false;
    /// What the tunnel or its handshake objected to, if it was asked.
    std::optional<wireguard::Error> cause;

    friend bool operator==(const DecapsulateError&, const DecapsulateError&) = default;
};

[[nodiscard]] std::string_view to_text(DecapsulateError::Kind kind);

/// All peers of this process: finds a UDP path to each with ICE and relays, and runs WireGuard over it.
///
/// Sans-IO. After every input call handle_timeout(now), then drain events and transmits and sleep until poll_timeout()
/// (which may already have come). Two inputs are the fast paths and need no handle_timeout(): an encapsulate() and a
/// decapsulate() that yielded a packet; drain transmits once per batch after them.
///
/// Source: spec/connectivity.md.
class Node {
public:
    Node(Role role, Rng rng, Instant now, WallTime wall_now);
    ~Node();
    Node(Node&&) noexcept;
    Node& operator=(Node&&) noexcept;

    /// Changes on reset().
    [[nodiscard]] const crypto::PublicKey& public_key() const;

    /// Creates the connection, or keeps the existing one if nothing about it changed (section 8.1). After an error
    /// there is none.
    std::expected<Upserted, UpsertError> upsert_connection(const ConnectionId& id, const crypto::PublicKey& peer,
                                                           const crypto::PresharedKey& preshared_key,
                                                           const Credentials& local, const Credentials& remote,
                                                           Instant now);
    /// Forgets a connection: no packet, no event.
    void remove_connection(const ConnectionId& id, Instant now);
    /// Says goodbye once if the connection has a path, then forgets it; ConnectionClosed if it had one.
    void close_connection(const ConnectionId& id, ByteSpan goodbye_packet, Instant now);
    void close_all(ByteSpan goodbye_packet, Instant now);
    /// The network changed: forgets connections and relays and makes a new key pair (section 9.4).
    void reset(Instant now);

    /// `listed` is the complete list of relays to use (section 9.1).
    void update_relays(std::span<const RelayId> removed, std::span<const RelayServer> listed, Instant now);

    /// Malformed candidates and unknown connections are ignored.
    void add_remote_candidate(const ConnectionId& id, std::string_view candidate, Instant now);
    void remove_remote_candidate(const ConnectionId& id, std::string_view candidate, Instant now);

    [[nodiscard]] bool has_connection(const ConnectionId& id) const;
    [[nodiscard]] bool has_relays() const;

    /// An IP packet from a peer, inside the memory of the datagram.
    struct Decapsulated {
        ConnectionId connection;
        MutableByteSpan packet;
    };

    /// Consumes a datagram and overwrites it. nullopt: handled, nothing for the TUN.
    /// `local` is the address it arrived at, with the true local IP.
    std::expected<std::optional<Decapsulated>, DecapsulateError> decapsulate(const net::SocketAddress& local,
                                                                             const net::SocketAddress& from,
                                                                             MutableByteSpan datagram, Instant now);

    /// Sends a super-packet: each segment is sealed straight into `out`, with the ECN of the inner packet. What cannot
    /// be sent yet is buffered or dropped as section 7.6 says.
    void encapsulate(const ConnectionId& id, packet::Segmenter& segments, net::TransmitQueue& out, Instant now);
    /// The same for one packet off the hot path; the result comes out of poll_transmit().
    void encapsulate(const ConnectionId& id, ByteSpan ip_packet, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout();
    [[nodiscard]] std::optional<net::Transmit> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();

    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    class State;
    std::unique_ptr<State> state_;
};

static_assert(SansIo<Node>);

}  // namespace culvert::connectivity
