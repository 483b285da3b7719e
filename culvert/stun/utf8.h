#pragma once

#include "culvert/base/bytes.h"

namespace culvert::stun {

/// Whether `bytes` is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(ByteSpan bytes);

}  // namespace culvert::stun
