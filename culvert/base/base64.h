#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/bytes.h"

namespace culvert {

/// Which of the two alphabets of RFC 4648, and whether `=` fills up the last group.
enum class Base64 { kStandard, kStandardNoPadding, kUrlNoPadding };

[[nodiscard]] std::string to_base64(ByteSpan bytes, Base64 variant = Base64::kStandard);

/// Strict: the exact variant, no white space, canonical trailing bits; nullopt otherwise.
[[nodiscard]] std::optional<Bytes> from_base64(std::string_view text, Base64 variant = Base64::kStandard);

}  // namespace culvert
