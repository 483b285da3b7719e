#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/time.h"

/// Hours of the week during which a policy counts. Source: spec/portal-product.md section 1.10, "Time syntax".
namespace culvert::portal {

/// As in the syntax: M T W R F S U.
enum class Weekday : std::uint8_t { kMonday, kTuesday, kWednesday, kThursday, kFriday, kSaturday, kSunday };

/// From when on and before when, since the local midnight. What ends at 23:59:59 lasts until midnight.
struct DayRange {
    std::chrono::seconds begin{};
    std::chrono::seconds end{};

    friend auto operator<=>(const DayRange&, const DayRange&) = default;
};

/// On one day of the week, somewhere. No ranges: never on that day.
struct DayHours {
    Weekday day = Weekday::kMonday;
    std::vector<DayRange> ranges;
    std::string zone;

    /// "M/08:00-12:00,13:00-17:30/Europe/Berlin"; whether there is such a zone is not asked. The error is for a person.
    [[nodiscard]] static std::expected<DayHours, std::string> parse(std::string_view text);
    /// As short as parse() takes it.
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const DayHours&, const DayHours&) = default;
};

using WeekHours = std::vector<DayHours>;

/// Whether it is time, and when that may change: it never changes earlier. Unset: never.
struct TimeWindow {
    bool is_open = false;
    std::optional<UnixSeconds> changes_at;

    friend bool operator==(const TimeWindow&, const TimeWindow&) = default;
};

/// Ranges that touch are one, also across midnight and zones. A zone that the machine does not know is never open.
[[nodiscard]] TimeWindow window_at(const WeekHours& hours, UnixSeconds now);

/// The same, remembered: many clients ask about few policies, and seldom does the answer change.
class TimeWindows {
public:
    [[nodiscard]] const TimeWindow& at(const WeekHours& hours, UnixSeconds now);
    /// For when other hours count.
    void clear() { known_.clear(); }

private:
    struct Known {
        TimeWindow window;
        UnixSeconds since;
    };
    std::map<WeekHours, Known> known_;
};

}  // namespace culvert::portal
