#pragma once

#include <optional>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {

/// Exponentially growing delays between attempts. Source: spec/portal-protocol.md section 4.
class Backoff {
public:
    /// Gives up once `max_elapsed` has passed since `started`; never if unset.
    Backoff(Instant started, std::optional<Duration> max_elapsed) : started_{started}, max_elapsed_{max_elapsed} {}

    /// The delay before the next attempt: within 50 % of an interval that grows by half each time. nullopt: give up.
    [[nodiscard]] std::optional<Duration> next(Rng& rng, Instant now);

private:
    Instant started_;
    std::optional<Duration> max_elapsed_;
    Duration interval_ = kFirstRetryInterval;
};

}  // namespace culvert::portal_channel
