#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/dialect.h"
#include "culvert/portal_channel/backoff.h"
#include "culvert/portal_channel/dialect_choice.h"
#include "culvert/portal_channel/event.h"
#include "culvert/portal_channel/held_candidates.h"

namespace culvert::portal_channel {

/// Why a connection could not be made.
struct DialError {
    enum class Kind : std::uint8_t {
        kHttpStatus,          // the server answered the upgrade with `status`
        kInvalidCertificate,  // somebody has to look into it
        kUnknownHost,         // nobody knows where the portal is, which is so while a machine starts or has no network
        kTransient            // everything else
    };
    Kind kind = Kind::kTransient;
    unsigned status = 0;
    std::string text{};
    /// What is wrong, for programs (spec/newer-dialect.md section 3.1); empty: the server does not say.
    std::string code{};
    /// How long the server wants to be left alone.
    std::optional<Duration> retry_after{};
};

/// What to do with the network, in order.
struct Dial {
    std::optional<crypto::PublicKey> public_key;
    /// Selects the path; means nothing for relays, which have one.
    portal_api::Dialect dialect = portal_api::Dialect::kV2;

    friend bool operator==(const Dial&, const Dial&) = default;
};
/// Give up the connection, or the attempt to make one, at once.
struct Drop {
    friend bool operator==(const Drop&, const Drop&) = default;
};
/// Part from the portal with the WebSocket's closing handshake, without waiting for its end.
struct Leave {
    friend bool operator==(const Leave&, const Leave&) = default;
};
/// Start the WebSocket's closing handshake.
struct StartClose {
    friend bool operator==(const StartClose&, const StartClose&) = default;
};
using Action = std::variant<Dial, Drop, Leave, StartClose>;

struct ChannelOptions {
    portal_api::Role role = portal_api::Role::kClient;
    std::optional<std::string> stamp_secret;  // relays
    /// For how long to wait for the portal in all; unset: for ever. A device that was never joined gives up earlier.
    std::optional<Duration> max_partition_time;
};

/// The device's end of a Phoenix channel, over a connection that somebody else makes and reads. With whom it speaks
/// which dialect it finds out by itself; only the codec knows the difference.
///
/// Sans-IO: commands, time and what happens on the network come in; actions, frames, events and a deadline come out.
/// Source: spec/portal-protocol.md sections 3.3 and 4, as changed by spec/newer-dialect.md sections 3.2, 4, 7.1 and 17.
class PhoenixChannel {
public:
    PhoenixChannel(ChannelOptions options, Rng rng);

    // Commands of the owner.
    void connect(const std::optional<crypto::PublicKey>& public_key, Instant now);
    /// The device's network changed: starts over at once, also if connected, dialling or waiting before another
    /// attempt. Does nothing before connect() and after the end.
    void reconnect(Instant now);
    /// Queues a message. While not joined only what is about candidates is kept, for the next join; whoever offers
    /// anything else asks again if it still matters then. None is dropped while joined, unless the same waits already;
    /// see constants.h for what bounds the queue.
    void send(portal_api::FromDevice message);
    /// The connection to that peer has ended: the portal need not hear of its candidates any more.
    void forget_candidates(const Uuid& peer) { held_.forget(peer); }
    void close(Instant now);

    // What the network did since the last Dial that was not dropped.
    void handle_connected(Instant now);
    void handle_dial_error(const DialError& error, Instant now);
    /// One message of the WebSocket, text or binary.
    void handle_text(std::string_view text, Instant now);
    /// Part of a long message came: whatever the portal has to answer waits behind it.
    void handle_partial_text();
    /// The connection ended: error, end of stream, or Close from either side.
    void handle_connection_lost(std::string_view cause, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return due_.next(); }

    [[nodiscard]] std::optional<Action> poll_action();
    /// The next frame to write. Call it once the previous one is written, so that a join overtakes waiting messages.
    [[nodiscard]] std::optional<std::string> poll_frame(Instant now);
    [[nodiscard]] std::optional<Event> poll_event();

    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    enum class State : std::uint8_t { kClosed, kWaiting, kDialling, kConnected, kClosing };
    enum class Due : std::uint8_t {
        kRedial,        ///< while waiting before another attempt
        kJoinFailure,   ///< the portal has not answered the join
        kHeartbeat,     ///< while connected
        kCloseFailure,  ///< the portal has not answered the closing handshake
    };

    /// Whatever was due in the state before is not any more.
    void enter(State state);
    /// A new attempt of the device itself, in place of whatever there is.
    void start_over(Action parting, Instant now);
    void dial(Instant now);
    void dial_again();
    void drop();
    [[nodiscard]] bool is_joined() const;
    [[nodiscard]] bool is_waiting(const portal_api::FromDevice& message) const;
    void hold_what_waits();
    void beat(Instant now);
    void handle_refusal(const DialError& error, Instant now);
    struct Failure {
        std::string_view cause;
        /// What a person can do; empty: nothing, it may well end by itself.
        std::string_view advice;
        std::optional<Duration> retry_after;
        bool is_unknown_host = false;
    };
    void retry(const Failure& failure, Instant now);
    void fail(FatalCause cause, std::string text);
    void finish_close();

    void handle_frame(portal_api::MessageFrame frame, Instant now);
    void handle_frame(const portal_api::IgnoredFrame& frame, Instant now);
    void handle_frame(const portal_api::OkReply& reply, Instant now);
    void handle_frame(const portal_api::NullReply& reply, Instant now);
    void handle_frame(portal_api::ErrorReply reply, Instant now);
    void handle_frame(const portal_api::ChannelCrashed& frame, Instant now);
    void handle_frame(const portal_api::ChannelClosed& frame, Instant now);
    void handle_frame(const portal_api::Disconnect& frame, Instant now);

    ChannelOptions options_;
    Rng rng_;
    State state_ = State::kClosed;
    std::optional<crypto::PublicKey> public_key_;
    Backoff backoff_;
    DialectChoice dialect_;
    Deadlines<Due> due_;
    /// Since the portal last answered anything.
    unsigned unanswered_heartbeats_ = 0;
    bool wants_heartbeat_ = false;
    std::uint64_t next_ref_ = 0;
    bool wants_join_ = false;
    /// The reference of the join that waits for an answer.
    std::optional<std::uint64_t> pending_join_;
    /// That of the last `no_relays`, which portals of 2025 do not know.
    std::optional<std::uint64_t> request_for_relays_;
    /// It was said that nobody knows the portal's host, and has not changed since.
    bool has_reported_unknown_host_ = false;
    /// The portal left so much unread that messages are lost.
    bool is_overrun_ = false;
    std::deque<portal_api::FromDevice> outgoing_;
    HeldCandidates held_;
    std::deque<Action> actions_;
    std::deque<Event> events_;
};

static_assert(SansIo<PhoenixChannel>);

}  // namespace culvert::portal_channel
