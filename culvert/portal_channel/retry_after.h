#pragma once

#include <optional>
#include <string_view>

#include "culvert/base/time.h"

namespace culvert::portal_channel {

/// How long to wait, out of the HTTP header Retry-After: seconds, or a date of RFC 9110 (IMF-fixdate) or RFC 2822. A
/// date that has passed is 0; more than kMaxRetryAfter is that. nullopt: nonsense, which is to be ignored. Source:
/// spec/newer-dialect.md section 3.2.
[[nodiscard]] std::optional<Duration> parse_retry_after(std::string_view text, WallTime now);

}  // namespace culvert::portal_channel
