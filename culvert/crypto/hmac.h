#pragma once

#include <initializer_list>

#include "culvert/base/bytes.h"
#include "culvert/crypto/hash.h"

/// HMAC (RFC 2104) with keys of any length, over the concatenation of `parts`.
///
/// Compare results with equal_constant_time() of secret.h.
namespace culvert::crypto {

[[nodiscard]] Sha1Digest hmac_sha1(ByteSpan key, std::initializer_list<ByteSpan> parts);
[[nodiscard]] Sha256Digest hmac_sha256(ByteSpan key, std::initializer_list<ByteSpan> parts);
/// HMAC with BLAKE2s-256 as the hash, as WireGuard's key derivation wants it; not the same as blake2s_keyed().
/// Leaves nothing of the key or the result anywhere but in `out`, which has 32 bytes.
void hmac_blake2s(ByteSpan key, std::initializer_list<ByteSpan> parts, MutableByteSpan out);
[[nodiscard]] Blake2sDigest hmac_blake2s(ByteSpan key, std::initializer_list<ByteSpan> parts);

}  // namespace culvert::crypto
