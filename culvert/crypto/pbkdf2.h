#pragma once

#include <cstddef>
#include <cstdint>

#include "culvert/base/bytes.h"

namespace culvert::crypto {

/// PBKDF2 (RFC 8018 section 5.2) with HMAC-SHA-256: `length` bytes of key. Requires iterations >= 1 and length >= 1.
[[nodiscard]] Bytes pbkdf2_hmac_sha256(ByteSpan password, ByteSpan salt, std::uint32_t iterations, std::size_t length);

}  // namespace culvert::crypto
