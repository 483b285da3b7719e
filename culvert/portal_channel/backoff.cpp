#include "culvert/portal_channel/backoff.h"

#include <algorithm>

namespace culvert::portal_channel {

std::optional<Duration> Backoff::next(Rng& rng, Instant now) {
    const auto half = interval_ / 2;
    const auto spread = static_cast<std::uint64_t>(interval_.count()) + 1;
    const auto delay = half + Duration{static_cast<Duration::rep>(rng.below(spread))};
    interval_ = std::min(interval_ + half, kMaxRetryInterval);
    if (max_elapsed_ && now - started_ + delay > *max_elapsed_) {
        return std::nullopt;
    }
    return delay;
}

}  // namespace culvert::portal_channel
