#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/index_table.h"
#include "culvert/connectivity/node.h"
#include "culvert/connectivity/outbox.h"
#include "culvert/connectivity/peer_table.h"
#include "culvert/connectivity/recently_disconnected.h"
#include "culvert/connectivity/relays.h"
#include "culvert/connectivity/schedule.h"
#include "culvert/stun/message.h"
#include "culvert/wireguard/rate_limiter.h"

namespace culvert::connectivity {

/// What is behind Node. Its functions are in node_lifecycle.cpp, node_relays.cpp, node_inbound.cpp, node_outbound.cpp
/// and node_time.cpp, by subject.
class Node::State {
public:
    using DecapsulateResult = std::expected<std::optional<Decapsulated>, DecapsulateError>;

    State(Role role, const Rng& rng, Instant now, WallTime wall_now);
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    [[nodiscard]] const crypto::PublicKey& public_key() const { return identity_->keys.public_key(); }
    [[nodiscard]] Relays& relays() { return relays_; }
    [[nodiscard]] Outbox& outbox() { return outbox_; }
    /// Null if unknown.
    [[nodiscard]] Connection* find(const ConnectionId& id);

    // Lifecycle
    std::expected<Upserted, UpsertError> upsert(const ConnectionId& id, Connection::Parameters parameters, Instant now);
    void remove(const ConnectionId& id, Instant now);
    void close(const ConnectionId& id, ByteSpan goodbye, Instant now);
    void close_all(ByteSpan goodbye, Instant now);
    void reset(Instant now);

    // Candidates and relays
    void update_relays(std::span<const RelayId> removed, std::span<const RelayServer> listed, Instant now);
    void add_remote_candidate(const ConnectionId& id, std::string_view text, Instant now);
    void remove_remote_candidate(const ConnectionId& id, std::string_view text, Instant now);

    // Packets
    DecapsulateResult decapsulate(net::SocketAddress local, net::SocketAddress from, MutableByteSpan datagram,
                                  Instant now);
    void encapsulate(const ConnectionId& id, packet::Segmenter& segments, net::TransmitQueue& out, Instant now);
    void encapsulate(const ConnectionId& id, ByteSpan ip_packet, Instant now);

    // Time
    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout();
    [[nodiscard]] std::optional<net::Transmit> poll_transmit();

    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    using Connections = std::map<ConnectionId, std::unique_ptr<Connection>>;

    /// What a reset replaces.
    struct Identity {
        Identity(const Rng& rng, Instant now);

        crypto::KeyPair keys;
        wireguard::RateLimiter limiter;
        Instant limiter_cleared_at;
        /// SOFTWARE attribute of requests to relays.
        std::string software;
    };

    [[nodiscard]] std::string_view id_key() const { return role_ == Role::kClient ? "gid" : "cid"; }
    [[nodiscard]] wireguard::Tunnel make_tunnel(const Connection::Parameters& parameters, std::uint32_t index,
                                                const Rng& rng, Instant now, const log::Subject& subject);
    void reuse(Connection& connection, Instant now);
    Connections::iterator erase(Connections::iterator entry, Instant now);
    Connections::iterator close(Connections::iterator entry, ByteSpan goodbye, Instant now);

    void replace_relay(const RelayServer& server, Instant now);
    void invalidate_relay(const turn::Allocation& allocation);
    void handle_allocation_events(const RelayId& id, turn::Allocation& allocation, Instant now);
    void add_local_candidate(const RelayId& relay, const turn::GatheredCandidate& candidate, Instant now);
    void remove_local_candidate(const turn::GatheredCandidate& candidate);
    void forget_relay(const RelayId& id);
    void drop_dead_relays();
    void replace_lost_relays(Instant now);

    /// From a relay's port: the datagram is consumed (nullopt), refused, or to be treated further as what it carries.
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
    std::unique_ptr<Identity> identity_;

    Relays relays_;
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
};

}  // namespace culvert::connectivity
