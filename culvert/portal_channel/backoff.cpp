#include "culvert/portal_channel/backoff.h"

#include <algorithm>

#include "culvert/base/snapshot.h"

namespace culvert::portal_channel {

std::optional<Duration> Backoff::next(Rng& rng) {
    if (!was_joined_) {
        return retries_++ < kFirstConnectRetries ? std::optional{kFirstConnectDelay} : std::nullopt;
    }
    return next_patiently(rng);
}

std::optional<Duration> Backoff::next_patiently(Rng& rng) {
    const auto spread = static_cast<std::uint64_t>(interval_.count()) + 1;
    const auto delay = interval_ + Duration{static_cast<Duration::rep>(rng.below(spread))};
    if (max_waiting_ && waited_ + delay > *max_waiting_) {
        return std::nullopt;
    }
    retries_ += was_joined_ ? 1 : 0;  // else they are counted for those who found the portal
    waited_ += delay;
    interval_ = std::min(interval_ + interval_ / 2, kMaxRetryInterval);
    return delay;
}

void Backoff::handle_joined() {
    was_joined_ = true;
    restart();
}

void Backoff::restart() {
    retries_ = 0;
    waited_ = {};
    interval_ = kFirstRetryInterval;
}

void Backoff::describe(Snapshot& out) const {
    out.field("was_joined", was_joined_).field("retries", retries_).field("waited_ns", waited_.count());
}

}  // namespace culvert::portal_channel
