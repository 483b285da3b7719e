#include "culvert/portal_channel/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <vector>

#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// A date has no more: "Sun, 06 Nov 1994 08:49:37 GMT".
constexpr std::size_t kMaxWords = 6;

/// Digits and nothing else; more than fit into the type are nullopt.
std::optional<std::uint32_t> to_number(std::string_view text) {
    std::uint32_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stopped == end ? std::optional{value} : std::nullopt;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// At most kMaxWords and one.
std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (words.size() <= kMaxWords) {
        text = trimmed(text);
        if (text.empty()) {
            break;
        }
        const auto end = std::min(text.find_first_of(" \t"), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return words;
}

/// "08:49:37" or "08:49"
std::optional<seconds> parse_time_of_day(std::string_view text) {
    constexpr std::size_t kShort = 5;
    constexpr std::size_t kLong = 8;
    const bool has_seconds = text.size() == kLong && text[kShort] == ':';
    if ((text.size() != kShort && !has_seconds) || text[2] != ':') {
        return std::nullopt;
    }
    const auto hours = to_number(text.substr(0, 2));
    const auto minutes = to_number(text.substr(3, 2));
    const auto rest = has_seconds ? to_number(text.substr(6, 2)) : std::optional{0U};
    // 60: a leap second
    if (!hours || !minutes || !rest || *hours > 23 || *minutes > 59 || *rest > 60) {
        return std::nullopt;
    }
    return std::chrono::hours{*hours} + std::chrono::minutes{*minutes} + seconds{*rest};
}

/// How far the zone is ahead of UTC: "GMT", "+0200"
std::optional<seconds> parse_zone(std::string_view text) {
    if (text == "GMT" || text == "UTC" || text == "UT" || text == "Z") {
        return seconds{0};
    }
    constexpr std::size_t kSize = 5;
    if (text.size() != kSize || (text[0] != '+' && text[0] != '-')) {
        return std::nullopt;
    }
    const auto hours = to_number(text.substr(1, 2));
    const auto minutes = to_number(text.substr(3, 2));
    if (!hours || !minutes || *minutes > 59) {
        return std::nullopt;
    }
    const seconds ahead = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
    return text[0] == '-' ? -ahead : ahead;
}

std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) {
    auto words = words_of(text);
    if (!words.empty() && words.front().ends_with(',')) {
        words.erase(words.begin());  // the day of the week, which follows from the rest
    }
    if (words.size() != kMaxWords - 1 || !is_digits(words[0]) || words[2].size() != 4) {
        return std::nullopt;
    }
    const auto day = to_number(words[0]);
    const auto month = std::ranges::find(kMonths, words[1]);
    const auto year = to_number(words[2]);
    const auto time = parse_time_of_day(words[3]);
    const auto ahead = parse_zone(words[4]);
    if (!day || month == kMonths.end() || !year || !time || !ahead) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                           std::chrono::month{static_cast<unsigned>(month - kMonths.begin()) + 1},
                                           std::chrono::day{*day}};
    return date.ok() ? std::optional{std::chrono::sys_days{date} + *time - *ahead} : std::nullopt;
}

}  // namespace

std::optional<Duration> parse_retry_after(std::string_view text, WallTime now) {
    text = trimmed(text);
    if (is_digits(text)) {
        const auto number = to_number(text);
        return number ? std::min<Duration>(seconds{*number}, kMaxRetryAfter) : kMaxRetryAfter;
    }
    const auto date = parse_date(text);
    if (!date) {
        return std::nullopt;
    }
    // Clamped before it becomes nanoseconds, which a date in the year 9999 would not fit into.
    const auto wait = std::clamp<WallTime::duration>(*date - now, WallTime::duration{0},
                                                     std::chrono::ceil<WallTime::duration>(kMaxRetryAfter));
    return Duration{wait};
}

}  // namespace culvert::portal_channel
