#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "culvert/base/time.h"

namespace culvert::io {

/// How soon to put back what somebody else took away: at once, but ever later if it is taken away again and again, so
/// that two programs that disagree do not keep a CPU busy and the log full.
class RepairPace {
public:
    /// Until the next repair may happen.
    [[nodiscard]] Duration delay(Instant now) const {
        return last_ ? std::max(Duration{}, *last_ + pause_ - now) : Duration{};
    }

    /// Something was missing, and has been put back.
    void repaired(Instant now) {
        const bool is_quarrel = last_ && now < *last_ + kPeace;
        pause_ = is_quarrel ? std::min(2 * pause_, kLongestPause) : kFirstPause;
        last_ = now;
    }

private:
    static constexpr Duration kFirstPause = std::chrono::milliseconds{250};
    static constexpr Duration kLongestPause = std::chrono::seconds{30};
    /// After so long without trouble all is forgotten.
    static constexpr Duration kPeace = std::chrono::minutes{2};

    Duration pause_ = kFirstPause;
    std::optional<Instant> last_;
};

}  // namespace culvert::io
