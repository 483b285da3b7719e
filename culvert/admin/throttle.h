#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "culvert/base/time.h"

namespace culvert::admin {

/// How often each of many may try something: `burst` times at once, and once more in each interval. Of the many, a
/// bounded number is remembered; those that have waited longest are forgotten first.
class Throttle {
public:
    Throttle(Duration interval, unsigned burst, std::size_t max_keys)
        : interval_{interval}, room_{interval * burst}, max_keys_{max_keys} {}

    /// Whether `key` may try now, which counts then; else how long it has to wait.
    [[nodiscard]] std::optional<std::chrono::seconds> take(const std::string& key, Instant now);

    [[nodiscard]] std::size_t size() const { return full_at_.size(); }

private:
    void make_room(Instant now);

    Duration interval_;
    Duration room_;
    std::size_t max_keys_;
    std::map<std::string, Instant> full_at_;
};

}  // namespace culvert::admin
