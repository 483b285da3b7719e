#pragma once

#include <string>

#include "culvert/base/bytes.h"

namespace culvert::portal {

/// RFC 4648 section 6 with upper-case letters and `=` padding, as token secrets are written.
[[nodiscard]] std::string to_base32(ByteSpan bytes);

/// The same with lower-case letters and no padding, as ICE credentials are written.
[[nodiscard]] std::string to_base32_lower(ByteSpan bytes);

}  // namespace culvert::portal
