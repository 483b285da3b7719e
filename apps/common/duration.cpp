#include "apps/common/duration.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <charconv>

namespace culvert::command_line {

std::optional<Duration> parse_duration(std::string_view text) {
    Duration total{};
    bool has_part = false;
    while (!text.empty()) {
        if (text.front() == ' ') {
            text.remove_prefix(1);
            continue;
        }
        std::int64_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        if (error != std::errc{} || count < 0 || count > 100'000'000) {
            return std::nullopt;
        }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        std::size_t letters = 0;
        while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters])) != 0) {
            ++letters;
        }
        const auto unit = text.substr(0, letters);
        text.remove_prefix(letters);
        if (unit.empty() || unit == "s" || unit == "sec" || unit == "seconds") {
            total += std::chrono::seconds{count};
        } else if (unit == "m" || unit == "min" || unit == "minutes") {
            total += std::chrono::minutes{count};
        } else if (unit == "h" || unit == "hours") {
            total += std::chrono::hours{count};
        } else if (unit == "d" || unit == "days") {
            total += std::chrono::days{count};
        } else {
            return std::nullopt;
        }
        has_part = true;
    }
    return has_part ? std::optional{total} : std::nullopt;
}

void describe_max_partition_time(CLI::App& app, std::string& text, const std::string& variable,
                                 const std::string& otherwise) {
    app.add_option("-m,--max-partition-time", text,
                   "Give up after so long without the portal, such as 5m or 30d (default: " + otherwise + ") [" +
                       variable + "]")
        ->envname(variable)
        ->option_text("TIME");
}

std::expected<std::optional<Duration>, Complaint> check_max_partition_time(const std::string& text) {
    if (text.empty()) {
        return std::nullopt;
    }
    const auto time = parse_duration(text);
    if (!time) {
        return std::unexpected{"\"" + text +
                               "\" is no duration. Give --max-partition-time something like 90s, 5m or 30d."};
    }
    return time;
}

}  // namespace culvert::command_line
