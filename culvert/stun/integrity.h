#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/crypto/secret.h"

namespace culvert::stun {

/// Key of MESSAGE-INTEGRITY with long-term credentials: MD5(username ":" realm ":" password), without SASLprep
/// (RFC 8489 section 9.2.2). The short-term key is the password itself.
using LongTermKey = crypto::Secret<16>;
[[nodiscard]] LongTermKey long_term_key(std::string_view username, std::string_view realm, std::string_view password);

/// The HMAC-SHA1 that belongs into MESSAGE-INTEGRITY after `message`, which is everything in front of that attribute;
/// its length field may have any value. Requires message.size() >= kHeaderSize.
[[nodiscard]] std::array<std::byte, 20> message_integrity(ByteSpan message, ByteSpan key);

/// The value that belongs into FINGERPRINT after `message`, likewise.
[[nodiscard]] std::uint32_t message_fingerprint(ByteSpan message);

/// CRC-32 of ITU-T V.42 (the one of Ethernet and zip), continued from `seed`.
[[nodiscard]] std::uint32_t crc32(ByteSpan bytes, std::uint32_t seed = 0);

}  // namespace culvert::stun
