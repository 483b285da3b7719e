#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/connectivity/census.h"
#include "culvert/connectivity/connection_parameters.h"
#include "culvert/connectivity/connection_state.h"
#include "culvert/connectivity/decapsulate_error.h"
#include "culvert/connectivity/events.h"
#include "culvert/connectivity/index_table.h"
#include "culvert/connectivity/lost_relays.h"
#include "culvert/connectivity/outbox.h"
#include "culvert/connectivity/peer_table.h"
#include "culvert/connectivity/recently_disconnected.h"
#include "culvert/connectivity/relay_server.h"
#include "culvert/connectivity/relays.h"
#include "culvert/connectivity/schedule.h"
#include "culvert/connectivity/seeds.h"
#include "culvert/connectivity/send_path.h"
#include "culvert/crypto/keys.h"
#include "culvert/ice/agent.h"
#include "culvert/net/transmit.h"
#include "culvert/net/transmit_queue.h"

namespace culvert::packet {
class Segmenter;
}
namespace culvert::stun {
class Message;
}

namespace culvert::connectivity {

class Connection;
struct NodeIdentity;

/// A client controls ICE and initiates WireGuard; a gateway follows. Of two clients the portal says which one leads.
enum class Role { kClient, kGateway };

using Credentials = ice::Credentials;

/// What upsert_connection() did.
enum class Upserted {
    kCreated,
    /// Nothing about the connection had changed.
    kReused,
    /// Keys or credentials were others: the peer has started anew.
    kReplaced,
};

enum class UpsertError {
    /// No relay is known, nor any address of our own: reconnect to the portal to get some.
    kNoRelays,
};

/// All peers behind one pair of sockets: finds a UDP path to each with ICE and relays, and runs WireGuard over it.
///
/// Sans-IO. After every input call handle_timeout(now), then drain events and transmits and sleep until poll_timeout()
/// (which may already have come). Two inputs are the fast paths and need no handle_timeout(): an encapsulate() and a
/// decapsulate() that yielded a packet; drain transmits once per batch after them.
///
/// The functions are in node_lifecycle.cpp, node_relays.cpp, node_inbound.cpp, node_outbound.cpp and node_time.cpp, by
/// subject. Source: spec/connectivity.md.
class Node {
public:
    Node(Role role, const Seeds& seeds, Instant now, WallTime wall_now);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// Changes on reset().
    [[nodiscard]] const crypto::PublicKey& public_key() const;
    [[nodiscard]] bool has_connection(const ConnectionId& id) const { return connections_.contains(id); }
    /// Not counting those that have stopped answering.
    [[nodiscard]] bool has_relays() const;
    /// Where packets for the peer go; nullopt: nowhere yet.
    [[nodiscard]] std::optional<SendPath> send_path(const ConnectionId& id) const;

    // Connections.

    /// Creates the connection, or keeps the existing one if nothing about it changed (section 8.1). After an error
    /// there is none.
    std::expected<Upserted, UpsertError> upsert_connection(const ConnectionId& id, const crypto::PublicKey& peer,
                                                           const crypto::PresharedKey& preshared_key,
                                                           const Credentials& local, const Credentials& remote,
                                                           Instant now);
    /// The same between two clients: `role` is ours.
    std::expected<Upserted, UpsertError> upsert_client_connection(const ConnectionId& id, const crypto::PublicKey& peer,
                                                                  const crypto::PresharedKey& preshared_key,
                                                                  const Credentials& local, const Credentials& remote,
                                                                  ice::AgentRole role, Instant now);
    /// Forgets a connection: no packet, no event.
    void forget_connection(const ConnectionId& id, Instant now);
    /// Says goodbye once if the connection has a path, then forgets it; ConnectionClosed if it had one.
    void close_connection(const ConnectionId& id, ByteSpan goodbye_packet, Instant now);
    void close_all(ByteSpan goodbye_packet, Instant now);
    /// Forgets connections and relays and makes a new key pair (section 9.4).
    void reset(Instant now);
    /// The host's network changed: connections move to the addresses that it has now, with the keys that they have
    /// (section 9.4). What set_local_sockets() said is to be true again before.
    void handle_network_change(std::span<const net::IpAddress> addresses, Instant now);

    // Relays and candidates.

    /// `listed` is the complete list of relays to use (section 9.1).
    void update_relays(std::span<const RelayId> removed, std::span<const RelayServer> listed, Instant now);
    /// Our sockets, by all addresses of this host that others may reach. They are candidates only while no relay is
    /// known, whose answers show which of them leads out.
    void set_local_sockets(std::span<const net::SocketAddress> sockets);
    /// Malformed candidates and unknown connections are ignored.
    void add_remote_candidate(const ConnectionId& id, std::string_view candidate, Instant now);
    void remove_remote_candidate(const ConnectionId& id, std::string_view candidate, Instant now);

    // Packets.

    /// An IP packet from a peer, inside the memory of the datagram.
    struct Decapsulated {
        ConnectionId connection;
        MutableByteSpan packet;
    };
    using DecapsulateResult = std::expected<std::optional<Decapsulated>, DecapsulateError>;

    /// Consumes a datagram and overwrites it. nullopt: handled, nothing for the TUN.
    /// `local` is the address it arrived at, with the true local IP.
    DecapsulateResult decapsulate(net::SocketAddress local, net::SocketAddress from, MutableByteSpan datagram,
                                  Instant now);
    /// Sends a super-packet: each segment is sealed straight into `out`, with the ECN of the inner packet. What cannot
    /// be sent yet is buffered or dropped as section 7.6 says.
    void encapsulate(const ConnectionId& id, packet::Segmenter& segments, net::TransmitQueue& out, Instant now);
    /// The same for one packet off the hot path; the result comes out of poll_transmit().
    void encapsulate(const ConnectionId& id, ByteSpan ip_packet, Instant now);

    // Time and outputs.

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout();
    [[nodiscard]] std::optional<net::Transmit> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();

    [[nodiscard]] Census census() const;

    [[nodiscard]] ConnectionStates state() const;
    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    using Connections = std::map<ConnectionId, std::unique_ptr<Connection>>;

    /// What the peer's id is called in the log. An unknown peer is taken for one of the usual kind.
    [[nodiscard]] std::string_view id_key(const ConnectionId& id) const;
    /// Null if unknown.
    [[nodiscard]] Connection* find(const ConnectionId& id);
    [[nodiscard]] WallTime wall_time_at(Instant now) const;
    std::expected<Upserted, UpsertError> upsert(const ConnectionId& id, ConnectionParameters parameters, Instant now);
    void reuse(Connection& connection, Instant now);
    Connections::iterator erase(Connections::iterator entry, Instant now);
    Connections::iterator close(Connections::iterator entry, ByteSpan goodbye, Instant now);

    void add_relay(const RelayServer& server, Instant now);
    void replace_relay(const RelayServer& server, Instant now);
    void invalidate_relay(const turn::Allocation& allocation);
    void handle_allocation_events(const RelayId& id, turn::Allocation& allocation, Instant now);
    void add_local_candidate(const RelayId& relay, const turn::GatheredCandidate& candidate, Instant now);
    void remove_local_candidate(const turn::GatheredCandidate& candidate);
    void move_host_candidates(Connection& connection, Instant now);
    /// Whether the host has it, as far as we were told.
    [[nodiscard]] bool has_address(const net::IpAddress& address) const;
    /// What a connection starts with.
    [[nodiscard]] std::vector<ice::Candidate> seed_candidates(const std::optional<RelayId>& relay) const;
    void forget_relay(const RelayId& id);
    void drop_dead_relays(Instant now);
    void retry_lost_relays(Instant now);
    void replace_lost_relays(Instant now);

    /// From a relay's port: the datagram is consumed (false), refused, or to be treated further as what it carries.
    std::expected<bool, DecapsulateError> unwrap(net::SocketAddress& local, net::SocketAddress& from,
                                                 MutableByteSpan& datagram, Instant now);
    DecapsulateResult handle_data(MutableByteSpan datagram, Instant now);
    DecapsulateResult handle_stun(const net::SocketAddress& local, const net::SocketAddress& from,
                                  const stun::Message& message, Instant now);
    DecapsulateResult handle_handshake(const net::SocketAddress& local, const net::SocketAddress& from,
                                       MutableByteSpan datagram, Instant now);
    std::expected<void, DecapsulateError> admit_handshake(const net::SocketAddress& local,
                                                          const net::SocketAddress& from, ByteSpan datagram,
                                                          Instant now);
    bool pass_to_agent(Connection& connection, const net::SocketAddress& local, const net::SocketAddress& from,
                       const stun::Message& message, Instant now);
    DecapsulateResult handle_initiation(const net::SocketAddress& local, const net::SocketAddress& from,
                                        ByteSpan datagram, Instant now);
    [[nodiscard]] std::vector<Connection*> meant_by(const crypto::PublicKey& peer, const net::SocketAddress& local,
                                                    const net::SocketAddress& from) const;
    DecapsulateResult pass_to_tunnel(Connection& connection, MutableByteSpan datagram, Instant now);

    void handle_relay_timeouts(Instant now);
    void handle_connection_timeouts(Instant now);
    void remove_failed(Instant now);

    Role role_;
    // Each identity, relay and connection forks its own generator from one of these.
    Rng identity_rng_;
    Rng relay_rng_;
    Rng connection_rng_;
    Instant created_at_;
    WallTime wall_at_creation_;
    std::unique_ptr<NodeIdentity> identity_;

    Relays relays_;
    LostRelays lost_relays_;
    std::vector<ice::Candidate> host_candidates_;
    /// Since its network last changed.
    std::optional<std::vector<net::IpAddress>> host_addresses_;
    Outbox outbox_{relays_};
    Connections connections_;
    IndexTable indices_;
    PeerTable peers_;
    RecentlyDisconnected recently_disconnected_;
    Schedule schedule_;
    /// By our user name fragment, for checks that come in. Fragments are short, so they need not be unique.
    std::multimap<std::string, Connection*, std::less<>> by_ufrag_;
    std::vector<ConnectionId> failed_;
    /// Some connection may use a relay that is gone.
    bool has_orphans_ = false;
    /// Without relays, which are counted when somebody asks.
    Census census_;
};

static_assert(SansIo<Node>);

}  // namespace culvert::connectivity
