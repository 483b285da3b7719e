#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/time.h"

/// Moments as text (RFC 3339), always written in UTC.
namespace culvert {

/// As exact as texts of others are read; further digits are cut off.
using WallMicroseconds = std::chrono::sys_time<std::chrono::microseconds>;

/// "2026-08-22T10:15:02Z".
[[nodiscard]] std::string to_rfc3339(UnixSeconds time);
/// "2026-08-22T10:15:02.104Z".
[[nodiscard]] std::string to_rfc3339(WallTime time);
/// "2026-08-22T10:15:02.104Z", with three further digits if they are not zero.
[[nodiscard]] std::string to_rfc3339(WallMicroseconds time);

/// With any number of decimals and any offset; years 1970 to 9999, no leap seconds.
[[nodiscard]] std::optional<WallMicroseconds> parse_rfc3339(std::string_view text);

}  // namespace culvert
