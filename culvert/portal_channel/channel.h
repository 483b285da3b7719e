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
#include "culvert/portal_channel/backoff.h"
#include "culvert/portal_channel/event.h"

namespace culvert::portal_channel {

/// Why a connection could not be made.
struct DialError {
    enum class Kind : std::uint8_t {
        kHttpStatus,          // the server answered the upgrade with `status`
        kInvalidCertificate,  // will not fix itself
        kTransient            // everything else
    };
    Kind kind = Kind::kTransient;
    unsigned status = 0;
    std::string text;
};

/// What to do with the network, in order.
struct Dial {
    std::optional<crypto::PublicKey> public_key;

    friend bool operator==(const Dial&, const Dial&) = default;
};
/// Give up the connection, or the attempt to make one, at once.
struct Drop {
    friend bool operator==(const Drop&, const Drop&) = default;
};
/// Start the WebSocket's closing handshake.
struct StartClose {
    friend bool operator==(const StartClose&, const StartClose&) = default;
};
using Action = std::variant<Dial, Drop, StartClose>;

struct ChannelOptions {
    portal_api::Role role = portal_api::Role::kClient;
    std::optional<std::string> stamp_secret;     // relays
    std::optional<Duration> max_partition_time;  // unset: unlimited
};

/// The device's end of a Phoenix channel, over a connection that somebody else makes and reads.
///
/// Sans-IO: commands, time and what happens on the network come in; actions, frames, events and a deadline come out.
/// Source: spec/portal-protocol.md sections 3.3 and 4.
class PhoenixChannel {
public:
    PhoenixChannel(ChannelOptions options, Rng rng);

    // Commands of the owner.
    void connect(const std::optional<crypto::PublicKey>& public_key, Instant now);
    /// The device's network changed: starts over at once, also if connected, dialling or waiting before another
    /// attempt. Does nothing before connect() and after the end.
    void reconnect();
    /// Queues a message. None is dropped while joined; see constants.h for what bounds the queue.
    void send(portal_api::FromDevice message);
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
    void dial();
    void drop();
    [[nodiscard]] bool is_joined() const;
    void beat(Instant now);
    void retry(std::string_view cause, Instant now);
    void fail(std::string text, bool is_authentication_error);
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
    std::optional<Backoff> backoff_;
    Deadlines<Due> due_;
    /// Since the portal last answered anything.
    unsigned unanswered_heartbeats_ = 0;
    bool wants_heartbeat_ = false;
    std::uint64_t next_ref_ = 0;
    bool wants_join_ = false;
    /// The reference of the join that waits for an answer.
    std::optional<std::uint64_t> pending_join_;
    /// The portal left so much unread that messages are lost.
    bool is_overrun_ = false;
    std::deque<portal_api::FromDevice> outgoing_;
    std::deque<Action> actions_;
    std::deque<Event> events_;
};

static_assert(SansIo<PhoenixChannel>);

}  // namespace culvert::portal_channel
