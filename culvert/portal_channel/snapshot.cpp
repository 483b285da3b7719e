// The state of a channel as text.

#include "culvert/base/snapshot.h"
#include "culvert/portal_channel/channel.h"

namespace culvert::portal_channel {

std::string PhoenixChannel::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("channel")
        .field("state", state_)
        .field("public_key", public_key_)
        .field("retries", backoff_.has_value())
        .field("redial", state_ == State::kWaiting ? std::optional{redial_at_} : std::nullopt)
        .field("closing_until", state_ == State::kClosing ? std::optional{closing_until_} : std::nullopt)
        .field("next_heartbeat", next_heartbeat_)
        .field("unanswered_heartbeats", unanswered_heartbeats_)
        .field("wants_heartbeat", wants_heartbeat_)
        .field("next_ref", next_ref_)
        .field("wants_join", wants_join_)
        .field("join", pending_join_ ? std::optional{pending_join_->ref} : std::nullopt)
        .field("overrun", is_overrun_)
        .field("outgoing", outgoing_.size())
        .field("actions", actions_.size())
        .field("events", events_.size());
    return out.text();
}

}  // namespace culvert::portal_channel
