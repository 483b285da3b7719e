#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "apps/common/command_line.h"
#include "culvert/base/time.h"

namespace CLI {
class App;
}

namespace culvert::command_line {

/// "90s", "5m", "12h", "30d"; a bare number is seconds. Parts may follow each other: "1h 30m". nullopt: none of that.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// Adds --max-partition-time, which may be given by the variable as well. `otherwise` says what counts without it.
void describe_max_partition_time(CLI::App& app, std::string& text, const std::string& variable,
                                 const std::string& otherwise);
/// What was given; nullopt: nothing.
[[nodiscard]] std::expected<std::optional<Duration>, Complaint> check_max_partition_time(const std::string& text);

}  // namespace culvert::command_line
