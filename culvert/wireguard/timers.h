#pragma once

#include <cstdint>
#include <optional>

#include "culvert/base/deadlines.h"
#include "culvert/base/time.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/session.h"

namespace culvert {
class Snapshot;
}

namespace culvert::wireguard {

/// What a tunnel waits for (spec/connectivity.md section 7.2). At the same moment the first here comes first.
enum class Due : std::uint8_t {
    kLifetime,        ///< there was no new session for so long that the tunnel is beyond repair
    kAttempt,         ///< the handshake in progress has failed
    kSessionExpiry,   ///< some session must be deleted
    kRenewal,         ///< the current session was used and is old enough for its initiator to make a new one
    kUnansweredData,  ///< the peer does not answer, so a handshake is to find out whether it is there
    kRetransmission,  ///< nor does it answer our initiation
    kInitiation,      ///< an initiation that one of the three asked for leaves, after its jitter
    kKeepalive,       ///< data of the peer got no answer so far
};

/// The timers of a tunnel: what is due because of what happened.
///
/// The on_...() functions of data are called for every packet and only store. What follows is decided in expire().
class Timers {
public:
    explicit Timers(Instant now) { on_new_keys(now); }

    void on_data_sent(Instant now) {
        if (!sent_data_) {
            sent_data_ = true;
            bring_renewal_forward(kRekeyAfterTime);
        }
        due_.clear(Due::kKeepalive);
        due_.bring_forward(Due::kUnansweredData, now + kUnansweredDataTimeout);
    }
    /// Keep-alives and handshake messages.
    void on_other_sent() { due_.clear(Due::kKeepalive); }
    void on_data_received(Instant now) {
        if (!received_data_) {
            received_data_ = true;
            bring_renewal_forward(kRekeyAfterReceiving);
        }
        due_.clear(Due::kUnansweredData);
        due_.bring_forward(Due::kKeepalive, now + kKeepaliveTimeout);
    }
    /// Keep-alives and handshake messages that passed authentication.
    void on_other_received() { due_.clear(Due::kUnansweredData); }

    /// New session keys were derived, in either role.
    void on_new_keys(Instant now) { due_.set(Due::kLifetime, now + kTunnelLifetime); }
    /// `session` became the current one: whatever handshake was running or wanted has lost its purpose.
    void on_session_started(const Session& session);
    /// The current session expired; nobody can answer any more what was sent on it.
    void on_session_lost();
    /// When the oldest of the sessions expires.
    void set_session_expiry(std::optional<Instant> at) { due_.set(Due::kSessionExpiry, at); }

    void on_initiation_sent(Instant now);
    /// Whether an initiation was sent and there was no new session since.
    [[nodiscard]] bool handshake_in_progress() const { return due_.is_set(Due::kAttempt); }

    /// One is on its way, or will be: nothing else can ask for one.
    [[nodiscard]] bool has_initiation() const { return handshake_in_progress() || initiation_is_scheduled(); }
    [[nodiscard]] bool initiation_is_scheduled() const { return due_.is_set(Due::kInitiation); }
    void schedule_initiation(Instant at);

    /// The tunnel is of no use any more.
    void stop() { due_.clear(); }

    [[nodiscard]] std::optional<Instant> next() const { return due_.next(); }
    template <typename Handle>
    void expire(Instant now, Handle&& handle) {
        due_.expire(now, handle);
    }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    /// To when the current session is so old, if we made it.
    void bring_renewal_forward(Duration age) {
        if (own_session_since_ && !has_initiation()) {
            due_.bring_forward(Due::kRenewal, *own_session_since_ + age);
        }
    }

    Deadlines<Due> due_;
    // About the current session.
    bool sent_data_ = false;
    bool received_data_ = false;
    std::optional<Instant> own_session_since_;  ///< when it was established, if we are its initiator
};

}  // namespace culvert::wireguard
