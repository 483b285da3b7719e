#include "culvert/base/rfc3339.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace culvert {
namespace {

/// Reads a text from the left.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_{text} {}

    [[nodiscard]] std::optional<unsigned> number(std::size_t digits) {
        unsigned value = 0;
        if (rest_.size() < digits) {
            return std::nullopt;
        }
        for (const char c : rest_.substr(0, digits)) {
            if (c < '0' || c > '9') {
                return std::nullopt;
            }
            value = value * 10 + static_cast<unsigned>(c - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }

    /// One of these characters.
    [[nodiscard]] std::optional<char> any_of(std::string_view choices) {
        if (rest_.empty() || choices.find(rest_.front()) == std::string_view::npos) {
            return std::nullopt;
        }
        const auto found = rest_.front();
        rest_.remove_prefix(1);
        return found;
    }

    [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

struct Fields {
    std::optional<unsigned> year, month, day, hour, minute, second;
};

/// Digits of a second behind the point, at least one.
std::optional<std::chrono::microseconds> read_decimals(Reader& reader) {
    std::int64_t value = 0;
    std::int64_t unit = 1'000'000;
    bool has_some = false;
    while (const auto digit = reader.any_of("0123456789")) {
        has_some = true;
        unit /= 10;
        value += unit * (*digit - '0');
    }
    return has_some ? std::optional{std::chrono::microseconds{value}} : std::nullopt;
}

std::optional<std::chrono::minutes> read_offset(Reader& reader) {
    const auto sign = reader.any_of("Zz+-");
    if (!sign) {
        return std::nullopt;
    }
    if (*sign == 'Z' || *sign == 'z') {
        return std::chrono::minutes{0};
    }
    const auto hours = reader.number(2);
    const bool has_colon = reader.any_of(":").has_value();
    const auto minutes = reader.number(2);
    if (!hours || !has_colon || !minutes || *hours > 23 || *minutes > 59) {
        return std::nullopt;
    }
    const std::chrono::minutes offset{*hours * 60 + *minutes};
    return *sign == '-' ? -offset : offset;
}

std::string to_text(UnixSeconds time, std::string_view decimals) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return std::string{text.data()} + std::string{decimals} + "Z";
}

}  // namespace

std::string to_rfc3339(UnixSeconds time) {
    return to_text(time, "");
}

std::string to_rfc3339(WallTime time) {
    return to_rfc3339(WallMicroseconds{time});
}

std::string to_rfc3339(WallMicroseconds time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto microseconds = (time - seconds).count();
    std::array<char, 16> decimals{};
    if (microseconds % 1000 == 0) {
        std::snprintf(decimals.data(), decimals.size(), ".%03d", static_cast<int>(microseconds / 1000));
    } else {
        std::snprintf(decimals.data(), decimals.size(), ".%06d", static_cast<int>(microseconds));
    }
    return to_text(seconds, decimals.data());
}

std::optional<WallMicroseconds> parse_rfc3339(std::string_view text) {
    Reader reader{text};
    Fields fields;
    bool is_punctuated = true;
    const auto punctuation = [&](std::string_view choices) {
        is_punctuated = is_punctuated && reader.any_of(choices).has_value();
    };
    fields.year = reader.number(4);
    punctuation("-");
    fields.month = reader.number(2);
    punctuation("-");
    fields.day = reader.number(2);
    punctuation("Tt ");
    fields.hour = reader.number(2);
    punctuation(":");
    fields.minute = reader.number(2);
    punctuation(":");
    fields.second = reader.number(2);
    const auto& [year, month, day, hour, minute, second] = fields;
    if (!is_punctuated || !year || !month || !day || !hour || !minute || !second || *year < 1970 || *hour > 23 ||
        *minute > 59 || *second > 59) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)}, std::chrono::month{*month},
                                           std::chrono::day{*day}};
    std::optional<std::chrono::microseconds> decimals{std::chrono::microseconds{0}};
    if (reader.any_of(".")) {
        decimals = read_decimals(reader);
    }
    const auto offset = read_offset(reader);
    if (!date.ok() || !decimals || !offset || !reader.is_at_end()) {
        return std::nullopt;
    }
    return WallMicroseconds{std::chrono::sys_days{date}} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
           std::chrono::seconds{*second} + *decimals - *offset;
}

}  // namespace culvert
