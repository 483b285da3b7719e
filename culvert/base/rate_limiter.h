#pragma once

#include <algorithm>
#include <cstdint>

#include "culvert/base/time.h"

namespace culvert {

/// How often something may happen: `per_second` in the long run, `burst` at once.
struct Rate {
    std::uint32_t per_second = 1;
    std::uint32_t burst = 1;

    [[nodiscard]] constexpr Duration cost() const { return Duration{std::chrono::seconds{1}} / per_second; }
    [[nodiscard]] constexpr Duration room() const { return cost() * burst; }
};

/// Keeps to such a rate: a bucket, remembered as the moment when it will be full again.
class RateLimiter {
public:
    /// Whether it may happen now; it counts then.
    [[nodiscard]] bool take(const Rate& rate, Instant now) {
        const auto full_at = std::max(full_at_, now) + rate.cost();
        if (full_at - now > rate.room()) {
            return false;
        }
        full_at_ = full_at;
        return true;
    }

    /// It has happened `times`. How long to wait before it may happen again.
    [[nodiscard]] Duration charge(const Rate& rate, Instant now, std::uint32_t times = 1) {
        full_at_ = std::max(full_at_, now) + rate.cost() * times;
        return std::max(Duration{}, full_at_ - now - rate.room());
    }

    [[nodiscard]] bool is_full(Instant now) const { return full_at_ <= now; }

private:
    Instant full_at_{};
};

}  // namespace culvert
