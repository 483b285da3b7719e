#include "culvert/wireguard/timers.h"

namespace culvert::wireguard {

void Timers::on_session_started(const Session& session) {
    sent_data_ = false;
    received_data_ = false;
    own_session_since_ = session.is_initiator() ? std::optional{session.established_at()} : std::nullopt;
    due_.clear(Due::kAttempt);
    due_.clear(Due::kRenewal);
    due_.clear(Due::kUnansweredData);
    due_.clear(Due::kRetransmission);
    due_.clear(Due::kInitiation);
}

void Timers::on_session_lost() {
    own_session_since_.reset();
    due_.clear(Due::kRenewal);
    due_.clear(Due::kUnansweredData);
    due_.clear(Due::kKeepalive);
}

void Timers::on_initiation_sent(Instant now) {
    if (!handshake_in_progress()) {
        due_.set(Due::kAttempt, now + kRekeyAttemptTime);
    }
    due_.clear(Due::kRenewal);
    due_.clear(Due::kUnansweredData);
    due_.set(Due::kRetransmission, now + kRekeyTimeout);
    due_.clear(Due::kInitiation);
    on_other_sent();
}

void Timers::schedule_initiation(Instant at) {
    due_.clear(Due::kRenewal);
    due_.clear(Due::kUnansweredData);
    due_.clear(Due::kRetransmission);
    due_.set(Due::kInitiation, at);
}

}  // namespace culvert::wireguard
