#include "culvert/wireguard/timers.h"

#include <algorithm>

namespace culvert::wireguard {

void Timers::on_session_started() {
    sent_data_ = false;
    received_data_ = false;
    unanswered_data_at_ = kNever;
    attempt_started_at_ = kNever;
    initiation_sent_at_ = kNever;
    initiation_at_ = kNever;
}

void Timers::on_initiation_sent(Instant now) {
    if (!handshake_in_progress()) {
        attempt_started_at_ = now;
    }
    initiation_sent_at_ = now;
    initiation_at_ = kNever;
    unanswered_data_at_ = kNever;
    on_other_sent();
}

Instant Timers::gives_up_at() const {
    const auto no_new_keys = newest_keys_at_ + kTunnelLifetime;
    return handshake_in_progress() ? std::min(no_new_keys, attempt_started_at_ + kRekeyAttemptTime) : no_new_keys;
}

Instant Timers::wants_initiation_at(const Session* current) const {
    if (handshake_in_progress()) {
        return initiation_sent_at_ + kRekeyTimeout;
    }
    auto at = unanswered_data_at_;
    if (current != nullptr && current->is_initiator()) {
        if (sent_data_) {
            at = std::min(at, current->established_at() + kRekeyAfterTime);
        }
        if (received_data_) {
            at = std::min(at, current->established_at() + kRekeyAfterReceiving);
        }
    }
    return at;
}

Instant Timers::next_deadline(const Session* current) const {
    const auto initiation = initiation_is_scheduled() ? initiation_at_ : wants_initiation_at(current);
    return std::min({initiation, keepalive_at_, gives_up_at()});
}

}  // namespace culvert::wireguard
