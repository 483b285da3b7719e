#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/observability/log.h"

/// Log lines as text. Control characters in messages and values are escaped, also those of Unicode that break lines or
/// turn the direction of writing, and whatever is not UTF-8: a hostile value can neither forge a line nor drive a
/// terminal. Values end after kMaxLoggedText bytes.
namespace culvert::log {

inline constexpr std::size_t kMaxLoggedText = 1024;

/// `LEVEL target: message key=value`, without time.
[[nodiscard]] std::string format_human(Level level, std::string_view target, std::string_view message,
                                       const std::vector<TextField>& fields);

/// One JSON object with `severity`, `message`, `target` and fields; `time` (RFC 3339, UTC) if not empty.
[[nodiscard]] std::string format_json(Level level, std::string_view target, std::string_view message,
                                      const std::vector<TextField>& fields, std::string_view time);

}  // namespace culvert::log
