#pragma once

#include <deque>

#include "culvert/base/rfc3339.h"
#include "culvert/base/time.h"

namespace culvert::flow_upload {

/// Civil time of moments on the monotonic time line, which stands still while a machine sleeps, and beside which civil
/// time may be set. A moment has the same civil time whenever it is asked for: a flow is known by its start.
class ClockHistory {
public:
    /// What both clocks show now. Never goes back in monotonic time.
    void note(Instant now, WallTime wall_now);

    /// Requires that note() was called.
    [[nodiscard]] WallMicroseconds civil(Instant when) const;

private:
    struct Agreement {
        Instant at;
        WallTime wall;
    };

    /// Each counts for what came after it, the first one for all before as well.
    std::deque<Agreement> agreements_;
};

}  // namespace culvert::flow_upload
