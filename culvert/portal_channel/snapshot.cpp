// The state of a channel as text.

#include "culvert/base/snapshot.h"
#include "culvert/portal_channel/channel.h"

namespace culvert::portal_channel {

std::string PhoenixChannel::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("channel")
        .field("state", state_)
        .field("public_key", public_key_)
        .field("unanswered_heartbeats", unanswered_heartbeats_)
        .field("wants_heartbeat", wants_heartbeat_)
        .field("next_ref", next_ref_)
        .field("wants_join", wants_join_)
        .field("join", pending_join_)
        .field("request_for_relays", request_for_relays_)
        .field("overrun", is_overrun_)
        .field("outgoing", outgoing_.size())
        .field("held", held_.size())
        .field("actions", actions_.size())
        .field("events", events_.size());
    backoff_.describe(out);
    dialect_.describe(out);
    due_.describe(out);
    return out.text();
}

}  // namespace culvert::portal_channel
