#include "culvert/portal/time_windows.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <set>

#include "culvert/portal/constants.h"
#include "culvert/portal/text.h"
#include "culvert/portal/time_zone.h"

namespace culvert::portal {
namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kDayLetters = "MTWRFSU";
constexpr seconds kWholeDay = std::chrono::hours{24};
constexpr DayRange kAllDay{seconds{0}, kWholeDay};

// --- Text ---

/// Takes what stands in front of the first `separator` off the text.
std::string_view take(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    const auto taken = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return taken;
}

/// One or two digits, at most `most`.
std::optional<int> parse_part(std::string_view text, int most) {
    int value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stopped_at, error] = std::from_chars(text.data(), end, value);
    return text.size() <= 2 && error == std::errc{} && stopped_at == end && value >= 0 && value <= most
               ? std::optional{value}
               : std::nullopt;
}

/// "8", "08:30" or "08:30:15"; a fraction is dropped.
std::optional<seconds> parse_time(std::string_view text) {
    auto rest = trim(text);
    rest = rest.substr(0, rest.find('.'));
    if (std::ranges::count(rest, ':') > 2 || rest.ends_with(':')) {
        return std::nullopt;
    }
    const auto hour = parse_part(take(rest, ':'), 23);
    const auto minute = rest.empty() ? std::optional{0} : parse_part(take(rest, ':'), 59);
    const auto second = rest.empty() ? std::optional{0} : parse_part(rest, 59);
    return hour && minute && second ? std::optional{std::chrono::hours{*hour} + minutes{*minute} + seconds{*second}}
                                    : std::nullopt;
}

std::expected<DayRange, std::string> parse_range(std::string_view text) {
    const auto quoted = "\"" + std::string{trim(text)} + "\"";
    auto rest = text;
    const auto begin = parse_time(take(rest, '-'));
    const auto end = parse_time(rest);
    if (!begin || !end) {
        return std::unexpected{quoted + " is no range of times such as 08:00-17:30"};
    }
    const bool is_until_midnight = *end == kWholeDay - seconds{1};
    if (*begin >= *end && !is_until_midnight) {
        return std::unexpected{quoted +
                               " must end after it begins; a range that goes on after midnight is two, on two days"};
    }
    return DayRange{*begin, is_until_midnight ? kWholeDay : *end};
}

std::string time_text(seconds time) {
    const auto shown = time == kWholeDay ? kWholeDay - seconds{1} : time;
    const std::chrono::hh_mm_ss parts{shown};
    std::array<char, 16> text{};
    const auto hour = static_cast<int>(parts.hours().count());
    const auto minute = static_cast<int>(parts.minutes().count());
    const auto second = static_cast<int>(parts.seconds().count());
    if (second == 0) {
        std::snprintf(text.data(), text.size(), "%02d:%02d", hour, minute);
    } else {
        std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", hour, minute, second);
    }
    return text.data();
}

// --- Time ---

Weekday weekday_of(std::chrono::local_days date) {
    return static_cast<Weekday>(std::chrono::weekday{date}.iso_encoding() - 1);
}

/// A day's hours where they count.
struct Placed {
    const DayHours* hours;
    TimeZone zone;
};

std::vector<Placed> place(const WeekHours& week) {
    std::vector<Placed> placed;
    for (const auto& hours : week) {
        if (const auto zone = TimeZone::find(hours.zone); zone && !hours.ranges.empty()) {
            placed.push_back({&hours, *zone});
        }
    }
    return placed;
}

bool is_open_at(const std::vector<Placed>& week, UnixSeconds time) {
    return std::ranges::any_of(week, [&](const Placed& placed) {
        const auto local = placed.zone.to_local(time);
        const auto date = std::chrono::floor<days>(local);
        const auto of_day = local - date;
        return weekday_of(date) == placed.hours->day &&
               std::ranges::any_of(placed.hours->ranges,
                                   [&](const DayRange& range) { return range.begin <= of_day && of_day < range.end; });
    });
}

/// Whether the ranges of one zone leave no gap, so that it does not matter what its clock does.
bool is_always_open(const std::vector<Placed>& week) {
    std::map<std::string_view, std::set<Weekday>> whole_days;
    for (const auto& [hours, zone] : week) {
        auto ranges = hours->ranges;
        std::ranges::sort(ranges);
        seconds covered{0};
        for (const auto& range : ranges) {
            covered = range.begin <= covered ? std::max(covered, range.end) : covered;
        }
        if (covered == kWholeDay) {
            whole_days[hours->zone].insert(hours->day);
        }
    }
    return std::ranges::any_of(whole_days, [](const auto& zone) { return zone.second.size() == kDayLetters.size(); });
}

/// Every moment after `now` and before `end` at which a range may begin or end: where its limits are, and where the
/// clock is put forward or back.
std::set<UnixSeconds> turning_points(const std::vector<Placed>& week, UnixSeconds now, UnixSeconds end) {
    std::set<UnixSeconds> points;
    for (const auto& [hours, zone] : week) {
        for (auto date = std::chrono::floor<days>(zone.to_local(now)) - days{1};
             date <= std::chrono::floor<days>(zone.to_local(end)); date += days{1}) {
            if (weekday_of(date) != hours->day) {
                continue;
            }
            for (const auto& range : hours->ranges) {
                for (const auto limit : {range.begin, range.end}) {
                    const auto [first, last] = zone.to_times(date + limit);
                    points.insert({first, last});
                }
            }
        }
        for (auto jump = zone.next_jump(now); jump < end; jump = zone.next_jump(jump)) {
            points.insert(jump);
        }
    }
    points.erase(points.begin(), points.upper_bound(now));
    points.erase(points.lower_bound(end), points.end());
    return points;
}

}  // namespace

std::expected<DayHours, std::string> DayHours::parse(std::string_view text) {
    // A zone's name may have slashes.
    auto rest = text;
    const auto letter = trim(take(rest, '/'));
    auto ranges = trim(take(rest, '/'));
    const auto day = letter.size() == 1 ? kDayLetters.find(letter.front()) : std::string_view::npos;
    if (day == std::string_view::npos || std::ranges::count(text, '/') < 2) {
        return std::unexpected{"\"" + std::string{text} +
                               "\" must be a day (M, T, W, R for Thursday, F, S, U for Sunday), times and a time zone,"
                               " such as M/08:00-17:30/Europe/Berlin"};
    }
    DayHours parsed{static_cast<Weekday>(day), {}, std::string{trim(rest)}};
    if (ranges == "true") {
        parsed.ranges.push_back(kAllDay);
        return parsed;
    }
    while (!ranges.empty()) {
        const auto range = parse_range(take(ranges, ','));
        if (!range) {
            return std::unexpected{range.error()};
        }
        if (parsed.ranges.size() == kMaxRangesPerDay) {
            return std::unexpected{"has more than " + std::to_string(kMaxRangesPerDay) + " ranges of times"};
        }
        parsed.ranges.push_back(*range);
    }
    return parsed;
}

std::string DayHours::to_string() const {
    std::string text{kDayLetters[static_cast<std::size_t>(day)]};
    text += '/';
    if (ranges == std::vector{kAllDay}) {
        text += "true";
    } else {
        for (const auto& range : ranges) {
            text += (text.back() == '/' ? "" : ",") + time_text(range.begin) + "-" + time_text(range.end);
        }
    }
    return text + "/" + zone;
}

TimeWindow window_at(const WeekHours& hours, UnixSeconds now) {
    const auto week = place(hours);
    if (week.empty()) {
        return {};
    }
    if (is_always_open(week)) {
        return {true, std::nullopt};
    }
    const bool is_open = is_open_at(week, now);
    const auto horizon = std::chrono::floor<days>(now) + kTimeHorizon;
    for (const auto point : turning_points(week, now, horizon)) {
        if (is_open_at(week, point) != is_open) {
            return {is_open, point};
        }
    }
    return {is_open, horizon};
}

const TimeWindow& TimeWindows::at(const WeekHours& hours, UnixSeconds now) {
    auto& [window, since] = known_[hours];
    if (now < since || since == UnixSeconds{} || (window.changes_at && *window.changes_at <= now)) {
        window = window_at(hours, now);
        since = now;
    }
    return window;
}

}  // namespace culvert::portal
