#pragma once

#include <chrono>
#include <cstdint>

namespace culvert {

/// Clock of every protocol object. It has no now(): time only ever comes in as a parameter, from the event loop or
/// from a simulator.
struct MonotonicClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<MonotonicClock>;
    static constexpr bool is_steady = true;
};

/// A point on the monotonic time line of this process.
using Instant = MonotonicClock::time_point;
using Duration = MonotonicClock::duration;

/// Civil time (UTC). Used only where the wire carries it: expiries, TAI64N timestamps.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using UnixSeconds = std::chrono::sys_seconds;

}  // namespace culvert
