#pragma once

#include <cstdint>

#include "culvert/base/bytes.h"

namespace culvert::model::wire {

/// CRC-32 of ISO 3309 (as in Ethernet and STUN's FINGERPRINT).
[[nodiscard]] std::uint32_t crc32(ByteSpan bytes);

}  // namespace culvert::model::wire
