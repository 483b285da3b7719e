#pragma once

#include <optional>

#include "culvert/base/time.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/session.h"

namespace culvert {
class Snapshot;
}

namespace culvert::wireguard {

/// "Not set" for a deadline: later than everything.
inline constexpr Instant kNever = Instant::max();

/// The timer state of a tunnel (spec/connectivity.md section 7.2): what happened, and what is due because of it.
///
/// The on_...() functions are called for every packet and only store. The rest is called from handle_timeout().
class Timers {
public:
    explicit Timers(Instant now) : newest_keys_at_{now} {}

    void on_data_sent(Instant now) {
        sent_data_ = true;
        keepalive_at_ = kNever;
        if (unanswered_data_at_ == kNever) {
            unanswered_data_at_ = now + kUnansweredDataTimeout;
        }
    }
    /// Keep-alives and handshake messages.
    void on_other_sent() { keepalive_at_ = kNever; }
    void on_data_received(Instant now) {
        received_data_ = true;
        unanswered_data_at_ = kNever;
        if (keepalive_at_ == kNever) {
            keepalive_at_ = now + kKeepaliveTimeout;
        }
    }
    /// Keep-alives and handshake messages that passed authentication.
    void on_other_received() { unanswered_data_at_ = kNever; }

    /// New session keys were derived, in either role.
    void on_new_keys(Instant now) { newest_keys_at_ = now; }
    /// A new session became the current one: whatever handshake was running or wanted has lost its purpose.
    void on_session_started();
    /// The current session expired; nobody can answer any more what was sent on it.
    void on_session_lost() {
        keepalive_at_ = kNever;
        unanswered_data_at_ = kNever;
    }

    void on_initiation_sent(Instant now);
    [[nodiscard]] bool handshake_in_progress() const { return attempt_started_at_ != kNever; }

    /// Whether the peer is gone for good.
    [[nodiscard]] bool gives_up(Instant now) const { return now >= gives_up_at(); }

    /// Whether something calls for an initiation. `current` is the session we send on, if there is one.
    [[nodiscard]] bool wants_initiation(const Session* current, Instant now) const {
        return now >= wants_initiation_at(current);
    }
    [[nodiscard]] bool initiation_is_scheduled() const { return initiation_at_ != kNever; }
    void schedule_initiation(Instant at) { initiation_at_ = at; }
    [[nodiscard]] bool initiation_is_due(Instant now) const { return now >= initiation_at_; }

    [[nodiscard]] bool keepalive_is_due(Instant now) const { return now >= keepalive_at_; }

    /// The earliest of all of these, expiry of sessions not included.
    [[nodiscard]] Instant next_deadline(const Session* current) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    [[nodiscard]] Instant gives_up_at() const;
    [[nodiscard]] Instant wants_initiation_at(const Session* current) const;

    Instant newest_keys_at_;
    // About the current session.
    bool sent_data_ = false;
    bool received_data_ = false;
    Instant keepalive_at_ = kNever;
    Instant unanswered_data_at_ = kNever;
    // About the handshake in progress.
    Instant attempt_started_at_ = kNever;
    Instant initiation_sent_at_ = kNever;
    // The next initiation, jitter included.
    Instant initiation_at_ = kNever;
};

}  // namespace culvert::wireguard
