#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "culvert/base/time.h"

/// What clocks on the wall show, by the tz database of the machine. What it says of a place and a moment is a fact like
/// any other: the same question has the same answer for as long as the program runs.
namespace culvert::portal {

/// What a clock somewhere shows.
using LocalSeconds = std::chrono::local_seconds;

class TimeZone {
public:
    /// By the name of the tz database, such as "Europe/Berlin"; nullopt if it has no such place, or the machine has no
    /// such database.
    [[nodiscard]] static std::optional<TimeZone> find(std::string_view name);

    [[nodiscard]] LocalSeconds to_local(UnixSeconds time) const;
    /// When the clock shows `local`: the first and the last time, which differ if it was put back in between. A time
    /// that it jumps over is that of the jump.
    [[nodiscard]] std::pair<UnixSeconds, UnixSeconds> to_times(LocalSeconds local) const;
    /// When the clock is put forward or back next, after `time`; far away if never.
    [[nodiscard]] UnixSeconds next_jump(UnixSeconds time) const;

private:
    explicit TimeZone(const void* zone) : zone_{zone} {}

    /// A zone of the library, which lives as long as the program.
    const void* zone_;
};

}  // namespace culvert::portal
