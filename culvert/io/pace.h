#pragma once

#include <algorithm>
#include <optional>

#include "culvert/base/time.h"
#include "culvert/io/constants.h"

namespace culvert::io {

/// How soon to do again what others make us do: at once, but ever later if it has to be done again and again. So two
/// programs that disagree do not keep a CPU busy and the log full, and whoever can make us do something by what he
/// sends into the network cannot make us do nothing else.
class Pace {
public:
    /// Until it may be done.
    [[nodiscard]] Duration delay(Instant now) const {
        return last_ ? std::max(Duration{}, *last_ + pause_ - now) : Duration{};
    }

    /// It had to be done.
    void done(Instant now) {
        const bool is_repeated = last_ && now < *last_ + kPeace;
        pause_ = is_repeated ? std::min(2 * pause_, kLongestPause) : kFirstPause;
        last_ = now;
    }

private:
    Duration pause_ = kFirstPause;
    std::optional<Instant> last_;
};

}  // namespace culvert::io
