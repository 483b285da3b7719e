#include "culvert/portal_channel/channel.h"

#include <algorithm>
#include <array>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/portal_channel/advice.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

constexpr log::Logger kLog{"portal_channel"};
constexpr log::Logger kSendLog{"wire::api::send"};
constexpr log::Logger kReceiveLog{"wire::api::recv"};

/// Reasons of a `disconnect` that say that another machine has taken this device's place.
constexpr std::array<std::string_view, 4> kReplacedReasons{"duplicate_device", "replaced", "gateway_already_connected",
                                                           "device_identity_conflict"};

/// What of a text of the portal's choosing is shown to people.
std::string_view shortened(std::string_view text) {
    return text.substr(0, kMaxShownText);
}

std::string fatal_text(std::string_view cause) {
    return "Connection to portal failed: " + std::string{cause};
}

/// "HTTP 409 Conflict. Another machine ..."
std::string with_advice(std::string_view cause, std::string_view advice) {
    std::string text{cause};
    if (!advice.empty()) {
        text += ". ";
        text += advice;
    }
    return text;
}

bool asks_for_relays(const portal_api::FromDevice& message) {
    return std::visit([](const auto& of_role) { return std::holds_alternative<portal_api::NoRelays>(of_role); },
                      message);
}

template <typename T>
std::optional<T> pop(std::deque<T>& queue) {
    if (queue.empty()) {
        return std::nullopt;
    }
    auto front = std::move(queue.front());
    queue.pop_front();
    return front;
}

}  // namespace

PhoenixChannel::PhoenixChannel(ChannelOptions options, Rng rng)
    : options_{std::move(options)},
      rng_{std::move(rng)},
      backoff_{options_.max_partition_time},
      dialect_{options_.role != portal_api::Role::kRelay} {}

// --- Commands ---

void PhoenixChannel::connect(const std::optional<crypto::PublicKey>& public_key, Instant now) {
    const bool is_connecting = state_ == State::kDialling || state_ == State::kWaiting;
    if (is_connecting && public_key == public_key_) {
        kLog.debug("Already connecting to portal");
        return;
    }
    if (public_key != public_key_) {
        held_.clear();  // of connections that went with the other key
        public_key_ = public_key;
    }
    start_over(state_ == State::kConnected ? Action{Leave{}} : Action{Drop{}}, now);
}

void PhoenixChannel::reconnect(Instant now) {
    if (state_ != State::kClosed && state_ != State::kClosing) {
        start_over(Drop{}, now);
    }
}

void PhoenixChannel::start_over(Action parting, Instant now) {
    if (state_ != State::kClosed) {
        actions_.push_back(parting);
    }
    hold_what_waits();
    backoff_.restart();
    dial(now);
}

void PhoenixChannel::send(portal_api::FromDevice message) {
    if (!is_joined()) {
        if (!held_.hold(message)) {
            kLog.debug("Not connected to portal: refused a message");
        }
        return;
    }
    if (is_waiting(message)) {
        kLog.trace("The same message waits already");
        return;
    }
    if (outgoing_.size() >= kMaxUnreadMessages) {
        outgoing_.clear();
        is_overrun_ = true;  // noticed with the next frame; the connection is made anew
    }
    outgoing_.push_back(std::move(message));
}

/// Whether it would only be said again what is about to be said. Of messages about candidates the order matters.
bool PhoenixChannel::is_waiting(const portal_api::FromDevice& message) const {
    const bool order_matters = HeldCandidates::concerns(message);
    std::size_t looked_at = 0;
    for (auto other = outgoing_.rbegin(); other != outgoing_.rend() && looked_at < kDuplicateLookBack; ++other) {
        if (*other == message) {
            return true;
        }
        if (order_matters && HeldCandidates::concerns(*other)) {
            return false;
        }
        ++looked_at;
    }
    return false;
}

/// The connection is gone. What has not been written will not be, and is out of date by the next join, apart from
/// candidates.
void PhoenixChannel::hold_what_waits() {
    for (const auto& message : std::exchange(outgoing_, {})) {
        held_.hold(message);
    }
}

void PhoenixChannel::close(Instant now) {
    switch (state_) {
        case State::kConnected:
            kLog.info("Closing connection to portal");
            enter(State::kClosing);
            due_.set(Due::kCloseFailure, now + kCloseTimeout);
            actions_.emplace_back(StartClose{});
            return;
        case State::kDialling:
        case State::kWaiting:
            kLog.info("Closed while connecting to portal");
            drop();
            finish_close();
            return;
        case State::kClosed:
            finish_close();
            return;
        case State::kClosing:
            return;
    }
}

// --- Network ---

void PhoenixChannel::handle_connected(Instant now) {
    if (state_ != State::kDialling) {
        return;
    }
    kLog.info("Connected to portal");
    has_reported_unknown_host_ = false;
    enter(State::kConnected);
    due_.set(Due::kHeartbeat, now + kHeartbeatInterval);
    unanswered_heartbeats_ = 0;
    wants_heartbeat_ = false;
    is_overrun_ = false;
    pending_join_.reset();
    wants_join_ = true;
}

void PhoenixChannel::handle_dial_error(const DialError& error, Instant now) {
    if (state_ != State::kDialling) {
        return;
    }
    switch (error.kind) {
        case DialError::Kind::kHttpStatus:
            return handle_refusal(error, now);
        case DialError::Kind::kInvalidCertificate:
            return retry({.cause = error.text, .advice = advice_on_certificate(), .retry_after = {}}, now);
        case DialError::Kind::kUnknownHost:
            return retry(
                {.cause = error.text, .advice = advice_on_unknown_host(), .retry_after = {}, .is_unknown_host = true},
                now);
        case DialError::Kind::kTransient:
            return retry({.cause = error.text, .advice = {}, .retry_after = {}}, now);
    }
}

/// Source: spec/newer-dialect.md section 3.2, column D.
void PhoenixChannel::handle_refusal(const DialError& error, Instant now) {
    if (error.status == 404 && dialect_.handle_not_found(now)) {
        kLog.debug("The portal does not know the newer dialect: trying the older one");
        dial_again();
        return;
    }
    const auto advice = advice_on_refusal(error.status, error.code, options_.role);
    if (error.status == 401) {
        fail(is_dead_token(error.code) ? FatalCause::kDeadToken : FatalCause::kRefused,
             fatal_text(with_advice(error.text, advice)));
        return;
    }
    const auto wait = error.status == 101 ? std::nullopt : error.retry_after;
    retry({.cause = error.text, .advice = advice, .retry_after = wait}, now);
}

void PhoenixChannel::handle_text(std::string_view text, Instant now) {
    if (state_ != State::kConnected) {
        return;
    }
    kReceiveLog.trace("Received frame", log::field("bytes", text.size()));
    auto frame = portal_api::decode_to_device(options_.role, dialect_.current(), text);
    if (frame) {
        std::visit([&](auto&& f) { handle_frame(std::forward<decltype(f)>(f), now); }, *std::move(frame));
    } else if (frame.error().kind == portal_api::DecodeError::Kind::kTruncated) {
        handle_connection_lost("the portal sent half a message", now);
    } else {
        kLog.warn("Failed to deserialize message", log::field("problem", frame.error().text));
    }
}

void PhoenixChannel::handle_partial_text() {
    unanswered_heartbeats_ = 0;
}

void PhoenixChannel::handle_connection_lost(std::string_view cause, Instant now) {
    if (state_ == State::kClosing) {
        drop();
        finish_close();
    } else if (state_ == State::kConnected) {
        drop();
        hold_what_waits();
        retry({.cause = cause, .advice = {}, .retry_after = {}}, now);
    }
}

// --- Frames (3.3) ---

void PhoenixChannel::handle_frame(portal_api::MessageFrame frame, Instant) {
    events_.emplace_back(MessageReceived{std::move(frame.message)});
}

void PhoenixChannel::handle_frame(const portal_api::IgnoredFrame&, Instant) {}

// Any reply shows that the portal reads what we send.
void PhoenixChannel::handle_frame(const portal_api::OkReply& reply, Instant) {
    unanswered_heartbeats_ = 0;
    if (pending_join_ == reply.ref) {
        kLog.debug("Joined portal channel");
        pending_join_.reset();
        due_.clear(Due::kJoinFailure);
        backoff_.handle_joined();
        for (auto& message : held_.take()) {
            outgoing_.push_back(std::move(message));
        }
        events_.emplace_back(Joined{});
    }
}

void PhoenixChannel::handle_frame(const portal_api::NullReply&, Instant) {
    unanswered_heartbeats_ = 0;
}

void PhoenixChannel::handle_frame(portal_api::ErrorReply reply, Instant now) {
    unanswered_heartbeats_ = 0;
    const auto topic = portal_api::to_topic(options_.role);
    if (reply.topic == topic && pending_join_ == reply.ref) {
        fail(FatalCause::kRefused, fatal_text("login failed: " + std::string{shortened(reply.text)}));
        return;
    }
    if (request_for_relays_ == reply.ref && dialect_.current() == portal_api::Dialect::kV1) {
        kLog.debug("The portal does not know how to be asked for relays: connecting anew, its `init` has them");
        start_over(Leave{}, now);
        return;
    }
    const bool may_rejoin = options_.role != portal_api::Role::kRelay;
    if (may_rejoin && reply.topic == topic && reply.reason == portal_api::ErrorReason::kUnmatchedTopic) {
        // The portal's end of the channel is gone. The refused message is lost; the join brings a fresh `init`.
        kLog.debug("Joining portal channel again");
        wants_join_ = !pending_join_;
    } else if (options_.role == portal_api::Role::kClient) {
        kLog.debug("Portal refused a message", log::field("reason", reply.text));
    } else {
        kLog.warn("Portal refused a message", log::field("reason", reply.text));
    }
    events_.emplace_back(MessageRefused{.reason = reply.reason, .text = std::move(reply.text)});
}

void PhoenixChannel::handle_frame(const portal_api::ChannelCrashed&, Instant) {
    kLog.debug("Portal channel crashed");  // noticed by the next message, which will be refused
}

void PhoenixChannel::handle_frame(const portal_api::ChannelClosed&, Instant now) {
    handle_connection_lost("the portal closed the channel", now);
}

void PhoenixChannel::handle_frame(const portal_api::Disconnect& frame, Instant) {
    if (frame.reason == "token_expired") {
        fail(FatalCause::kDeadToken, fatal_text("token expired. " + advice_on_token(options_.role)));
    } else if (std::ranges::find(kReplacedReasons, frame.reason) != kReplacedReasons.end()) {
        // Coming back would only throw the other one out.
        fail(FatalCause::kReplaced, fatal_text(frame.reason + ". " + advice_on_identity()));
    } else {
        // Whether it may come back, the device learns when it does.
        kLog.warn("The portal ends the connection", log::field("reason", shortened(frame.reason)));
    }
}

// --- Time ---

void PhoenixChannel::handle_timeout(Instant now) {
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kRedial:
                return dial(now);
            case Due::kJoinFailure:
                return handle_connection_lost("the portal did not answer the join in time", now);
            case Due::kHeartbeat:
                return beat(now);
            case Due::kCloseFailure:
                drop();
                return finish_close();
        }
    });
}

/// Counts heartbeats, not time: a process that was stopped for a while has not asked anything meanwhile.
void PhoenixChannel::beat(Instant now) {
    if (unanswered_heartbeats_ > kMaxUnansweredHeartbeats) {
        handle_connection_lost("the portal has stopped answering", now);
        return;
    }
    ++unanswered_heartbeats_;
    wants_heartbeat_ = true;
    due_.set(Due::kHeartbeat, now + kHeartbeatInterval);
}

// --- Outputs ---

std::optional<Action> PhoenixChannel::poll_action() {
    return pop(actions_);
}

std::optional<Event> PhoenixChannel::poll_event() {
    return pop(events_);
}

std::optional<std::string> PhoenixChannel::poll_frame(Instant now) {
    if (state_ != State::kConnected) {
        return std::nullopt;
    }
    if (std::exchange(is_overrun_, false)) {
        handle_connection_lost("the portal takes messages too slowly", now);
        return std::nullopt;
    }
    if (wants_join_) {
        wants_join_ = false;
        pending_join_ = next_ref_++;
        due_.set(Due::kJoinFailure, now + kJoinTimeout);
        kSendLog.trace("Sending join");
        return portal_api::encode_join(options_.role, *pending_join_, options_.stamp_secret);
    }
    if (std::exchange(wants_heartbeat_, false)) {
        events_.emplace_back(HeartbeatSent{});
        return portal_api::encode_heartbeat(next_ref_++);
    }
    if (pending_join_) {
        return std::nullopt;
    }
    const auto message = pop(outgoing_);
    if (!message) {
        return std::nullopt;
    }
    if (asks_for_relays(*message)) {
        request_for_relays_ = next_ref_;
    }
    auto frame = portal_api::encode_from_device(*message, dialect_.current(), next_ref_++);
    kSendLog.trace("Sending frame", log::field("frame", frame));
    return frame;
}

// --- Helpers ---

void PhoenixChannel::enter(State state) {
    state_ = state;
    due_.clear();
}

void PhoenixChannel::dial(Instant now) {
    dialect_.start(now);
    dial_again();
}

void PhoenixChannel::dial_again() {
    kLog.debug("Connecting to portal");
    enter(State::kDialling);
    wants_join_ = false;
    pending_join_.reset();
    request_for_relays_.reset();
    actions_.emplace_back(Dial{.public_key = public_key_, .dialect = dialect_.current()});
}

void PhoenixChannel::drop() {
    actions_.emplace_back(Drop{});
}

bool PhoenixChannel::is_joined() const {
    return state_ == State::kConnected && !wants_join_ && !pending_join_;
}

void PhoenixChannel::retry(const Failure& failure, Instant now) {
    std::optional<Duration> delay;
    if (failure.retry_after) {
        delay = std::max(*failure.retry_after, kMinRetryAfter);
    } else {
        delay = failure.is_unknown_host ? backoff_.next_patiently(rng_) : backoff_.next(rng_);
    }
    const auto cause = with_advice(failure.cause, failure.advice);
    if (!delay) {
        constexpr std::string_view kUnreachable = "Check that this machine reaches the portal's host and port";
        fail(FatalCause::kGaveUp,
             fatal_text("max retries reached: " +
                        (failure.advice.empty() ? with_advice(failure.cause, kUnreachable) : cause)));
        return;
    }
    enter(State::kWaiting);
    due_.set(Due::kRedial, now + *delay);

    // What a person has to see to is told in a way that a person notices.
    const bool warns = options_.role == portal_api::Role::kRelay || !failure.advice.empty();
    const bool repeats = std::exchange(has_reported_unknown_host_, failure.is_unknown_host) && failure.is_unknown_host;
    const auto level = warns ? log::Level::kWarn : log::Level::kInfo;
    const auto delay_ms = std::chrono::duration_cast<std::chrono::milliseconds>(*delay).count();
    kLog.log(repeats ? log::Level::kDebug : level, "Hiccup in connection to portal",
             log::field("retry_in_ms", delay_ms), log::field("cause", cause));
    events_.emplace_back(Hiccup{.delay = *delay, .max_elapsed = options_.max_partition_time, .cause = cause});
}

void PhoenixChannel::fail(FatalCause cause, std::string text) {
    drop();
    enter(State::kClosed);
    events_.emplace_back(Fatal{.text = std::move(text), .cause = cause});
}

void PhoenixChannel::finish_close() {
    kLog.info("Closed connection to portal");
    enter(State::kClosed);
    events_.emplace_back(Closed{});
}

}  // namespace culvert::portal_channel
