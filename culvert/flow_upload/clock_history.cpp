#include "culvert/flow_upload/clock_history.h"

#include <algorithm>
#include <iterator>

#include "culvert/flow_upload/constants.h"

namespace culvert::flow_upload {

void ClockHistory::note(Instant now, WallTime wall_now) {
    if (!agreements_.empty()) {
        const auto& last = agreements_.back();
        const auto drift = (wall_now - last.wall) - (now - last.at);
        if (drift > -kClockTolerance && drift < kClockTolerance) {
            return;
        }
    }
    agreements_.push_back({now, wall_now});
    if (agreements_.size() > kClockAgreements) {
        agreements_.pop_front();
    }
}

WallMicroseconds ClockHistory::civil(Instant when) const {
    const auto after = std::ranges::upper_bound(agreements_, when, {}, &Agreement::at);
    const auto& agreement = after == agreements_.begin() ? agreements_.front() : *std::prev(after);
    // To the millisecond: it must be the same text once it has been read again.
    return std::chrono::floor<std::chrono::milliseconds>(agreement.wall + (when - agreement.at));
}

}  // namespace culvert::flow_upload
