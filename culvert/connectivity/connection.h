#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/connectivity/census.h"
#include "culvert/connectivity/channel_quota.h"
#include "culvert/connectivity/connection_parameters.h"
#include "culvert/connectivity/connection_state.h"
#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/events.h"
#include "culvert/connectivity/outbox.h"
#include "culvert/connectivity/ring.h"
#include "culvert/connectivity/send_path.h"
#include "culvert/crypto/keys.h"
#include "culvert/ice/agent.h"
#include "culvert/observability/id_logger.h"
#include "culvert/wireguard/handshake_budget.h"
#include "culvert/wireguard/tunnel.h"

namespace culvert {
class Snapshot;
}

namespace culvert::connectivity {

/// Everything about one peer: an ICE agent, a WireGuard tunnel, the relay it uses, and when it is given up.
/// Source: spec/connectivity.md sections 2.3, 7.6 and 8.
class Connection {
public:
    using Parameters = ConnectionParameters;

    enum class Phase : std::uint8_t { kConnecting, kConnected, kIdle };
    enum class Failure : std::uint8_t { kNoCandidates, kIceTimeout, kWireGuardTimeout };

    /// `index` is the upper part of the tunnel's receiver indices; `subject` is the peer, for the log.
    Connection(const ConnectionId& id, Parameters parameters, wireguard::Tunnel tunnel, std::uint32_t index,
               const std::optional<RelayId>& relay, Rng rng, Instant now, const log::IdField& subject);

    [[nodiscard]] const ConnectionId& id() const { return id_; }
    [[nodiscard]] const Parameters& parameters() const { return parameters_; }
    [[nodiscard]] std::uint32_t index() const { return index_; }
    [[nodiscard]] Phase phase() const { return phase_; }
    /// Set: remove this connection.
    [[nodiscard]] std::optional<Failure> failure() const { return failure_; }
    /// Where packets go; unset until the first nomination.
    [[nodiscard]] const std::optional<PeerSocket>& socket() const { return socket_; }
    /// The same with its time, for records.
    [[nodiscard]] std::optional<SendPath> send_path() const {
        return socket_ ? std::optional{SendPath{socket_->is_relayed ? std::nullopt : std::optional{socket_->source},
                                                socket_->destination, socket_since_}}
                       : std::nullopt;
    }
    [[nodiscard]] PathKind path_kind() const {
        return !socket_ ? PathKind::kNone : agent_.is_relayed() ? PathKind::kRelayed : PathKind::kDirect;
    }
    [[nodiscard]] wireguard::Tunnel& tunnel() { return tunnel_; }
    [[nodiscard]] ice::Agent& agent() { return agent_; }
    [[nodiscard]] const ice::Agent& agent() const { return agent_; }

    /// How well what came from `from` to `local` fits this connection.
    enum class Fit : std::uint8_t { kNone, kPair, kVerifiedPair, kPathInUse };
    [[nodiscard]] Fit fit(const net::SocketAddress& local, const net::SocketAddress& from) const;

    [[nodiscard]] const std::optional<RelayId>& relay() const { return relay_; }
    void set_relay(const std::optional<RelayId>& relay) { relay_ = relay; }

    /// The peer shook hands from `from` to `local`: see ice::Agent. If that is not where we send, it has lost the path
    /// in use, and idle checks would take minutes to notice.
    void note_peer_path(const net::SocketAddress& local, const net::SocketAddress& from, Instant now);
    /// Traffic or something that announces it: restarts the idle timer and wakes up (section 8.2). Hot path.
    void note_activity(Instant now) {
        last_activity_ = now;
        if (due_.is_set(Due::kIdle)) {
            due_.set(Due::kIdle, now + kIdleAfter);
        } else if (phase_ == Phase::kIdle) {
            wake_up(now);
        }
    }

    /// A candidate of ours goes to the agent and, unless redundant, to the peer.
    void add_local_candidate(const ice::Candidate& candidate, Outbox& out, Instant now);
    void remove_local_candidate(const ice::Candidate& candidate, Outbox& out);
    /// Adds those whose address is none of the agent's: they are new, or were taken back and are there again.
    void restore_local_candidates(std::span<const ice::Candidate> seeds, Outbox& out, Instant now);
    /// The host's network changed: looks at once whether the path still works, and proves to the peer where we are as
    /// soon as another does.
    void handle_network_change(Instant now);
    /// Tells the peer everything again that it would need if it had lost its state.
    void signal_local_candidates(std::span<const ice::Candidate> seeds, Outbox& out, Instant now);

    /// Whether the peer's `address` may have a channel on our relay. Ask before anything that may bind one.
    [[nodiscard]] bool may_have_channel(const net::SocketAddress& address, Instant now);

    /// Whether the peer may add one more candidate by now; if so, it is counted.
    [[nodiscard]] bool may_learn_candidate(Instant now);

    /// Sends or queues one packet, whatever the state. Off the hot path.
    void send_packet(ByteSpan ip_packet, Outbox& out, Instant now);
    /// Sends one packet if that is possible at once; for a goodbye.
    void send_last_packet(ByteSpan ip_packet, Outbox& out, Instant now);
    /// Who initiates: starts a handshake unless one is running or was started this way a moment ago (section 7.3).
    void start_proactive_handshake(Instant now);
    /// Call after the tunnel accepted a handshake message.
    void note_handshake(Outbox& out);
    /// Sends what the tunnel wants to send, or keeps it until there is a path.
    void flush_tunnel(Outbox& out, Instant now);

    void handle_timeout(Relays& relays, Outbox& out, Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    /// Schedule's bookkeeping.
    std::size_t schedule_slot = 0;
    /// PeerTable's: the remote address under which it knows this connection.
    std::optional<net::SocketAddress> known_path;
    /// The census': as what it counts this connection.
    PathKind counted_as = PathKind::kNone;
    /// What the peer may ask of a node under load from there.
    wireguard::HandshakeBudget handshake_budget;

    [[nodiscard]] ConnectionState state() const;
    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    enum class Due : std::uint8_t {
        kIdle,          ///< nothing was sent or received for a while, so checks become rare
        kNoCandidates,  ///< the peer has not told us of any candidate
        kDisconnected,  ///< ICE found no path, and no further candidate came
        kPathless,      ///< the agent has had no pair to check for long
        kDirectRetry,   ///< while a relay is on the path: a direct one may have become possible
    };

    [[nodiscard]] bool initiates() const { return agent_.role() == ice::AgentRole::kControlling; }
    void follow_agent(Instant now);
    void update_idle_deadline();
    void fall_asleep(Instant now);
    void retry_direct_path(Instant now);
    void wake_up(Instant now);
    void fail(Failure failure);
    void send_checks(Outbox& out, Instant now);
    void handle_agent_events(Relays& relays, Outbox& out, Instant now);
    void handle_state(ice::AgentState state, Instant now);
    void handle_nomination(const ice::Nominated& nominated, Relays& relays, Outbox& out, Instant now);
    void flush_buffers(Outbox& out, Instant now);
    void signal(const ice::Candidate& candidate, Outbox& out);
    void withdraw(const ice::Candidate& candidate, Outbox& out);

    ConnectionId id_;
    Parameters parameters_;
    ice::Agent agent_;
    log::IdLogger log_;
    wireguard::Tunnel tunnel_;
    std::uint32_t index_;
    std::optional<RelayId> relay_;
    ChannelQuota channels_;
    bool has_logged_channel_limit_ = false;
    /// When the candidates that were counted are forgotten.
    Instant candidates_forgotten_at_;

    Phase phase_ = Phase::kConnecting;
    std::optional<Failure> failure_;
    std::optional<PeerSocket> socket_;
    Instant socket_since_;
    Duration direct_retry_pause_ = kFirstDirectRetry;
    Instant created_at_;
    Instant last_activity_;
    Deadlines<Due> due_;
    std::optional<Instant> proactive_handshake_at_;
    /// When the host's network last changed.
    std::optional<Instant> moved_at_;
    bool is_established_ = false;

    Ring<Bytes> buffered_datagrams_{kMaxBufferedPackets};
    Ring<Bytes> buffered_packets_{kMaxBufferedPackets};
};

[[nodiscard]] std::string_view to_text(Connection::Failure failure);

/// The ECN bits of an IP packet; Not-ECT for what is none.
[[nodiscard]] net::Ecn ecn_of(ByteSpan ip_packet);

}  // namespace culvert::connectivity
