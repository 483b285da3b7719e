#pragma once

#include "culvert/base/bytes.h"

namespace culvert {

/// Overwrites memory in a way the compiler may not drop, although nobody seems to read it again.
inline void wipe(MutableByteSpan bytes) {
    if (bytes.empty()) {
        return;
    }
    std::memset(bytes.data(), 0, bytes.size());
    // Claims to read all memory, from a place the optimiser does not look into.
    asm volatile("" : : "r"(bytes.data()) : "memory");
}

}  // namespace culvert
