#pragma once

#include <chrono>

#include "culvert/base/rate_limiter.h"

namespace culvert {

/// When each of those that a rate turned away is to come again. Told the same time, they would all come at once, and
/// all but a few be turned away again.
class Turns {
public:
    /// How long the next one is to wait beyond the shortest wait: one after the other, as the rate allows; whoever
    /// would have to wait for `longest` or more comes among the others.
    [[nodiscard]] std::chrono::seconds next(const Rate& rate, std::chrono::seconds longest, Instant now) {
        const auto wait = queue_.charge({rate.per_second, 1}, now);
        return std::chrono::floor<std::chrono::seconds>(wait) % longest;
    }
    [[nodiscard]] bool is_full(Instant now) const { return queue_.is_full(now); }

private:
    RateLimiter queue_;
};

}  // namespace culvert
