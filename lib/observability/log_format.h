#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "culvert/observability/log.h"

/// Log lines as text. Control characters in messages and values are escaped, so that a hostile value can neither forge
/// a line nor drive a terminal.
namespace culvert::log {

/// `LEVEL target: message key=value`, without time.
[[nodiscard]] std::string format_human(Level level, std::string_view target, std::string_view message,
                                       const std::vector<TextField>& fields);

/// One JSON object with `severity`, `message`, `target` and fields; `time` (RFC 3339, UTC) if not empty.
[[nodiscard]] std::string format_json(Level level, std::string_view target, std::string_view message,
                                      const std::vector<TextField>& fields, std::string_view time);

}  // namespace culvert::log
