#pragma once

#include <concepts>

#include "culvert/base/sanitizers.h"

namespace culvert {

/// Sanitized code takes many times as long, and what sanitizers look for, few rounds show as well.
inline constexpr int kSanitizedShare = CULVERT_HAS_SANITIZED_HEAP ? 8 : 1;

/// How often a test repeats what it does `count` times, be it to meet by chance what it does not know or to let time
/// pass: a share of it under sanitizers.
template <std::integral T>
constexpr T repetitions(T count) {
    constexpr T kShare = kSanitizedShare;
    return (count + kShare - 1) / kShare;
}

}  // namespace culvert
