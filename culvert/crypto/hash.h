#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

#include "culvert/base/bytes.h"

/// Hash functions. Each takes the message in one piece or in several, which are hashed one after the other.
///
/// All of them throw std::runtime_error if OpenSSL does not offer the algorithm on this system (a FIPS-only set-up).
namespace culvert::crypto {

using Md5Digest = std::array<std::byte, 16>;
using Sha1Digest = std::array<std::byte, 20>;
using Sha256Digest = std::array<std::byte, 32>;
using Sha3_256Digest = std::array<std::byte, 32>;
using Blake2sDigest = std::array<std::byte, 32>;

/// RFC 1321. Broken; here only for the long-term credential key of TURN (RFC 8489 section 9.2.2).
[[nodiscard]] Md5Digest md5(std::initializer_list<ByteSpan> parts);
[[nodiscard]] inline Md5Digest md5(ByteSpan message) {
    return md5({message});
}

/// FIPS 180-4.
[[nodiscard]] Sha1Digest sha1(std::initializer_list<ByteSpan> parts);
[[nodiscard]] inline Sha1Digest sha1(ByteSpan message) {
    return sha1({message});
}

/// FIPS 180-4.
[[nodiscard]] Sha256Digest sha256(std::initializer_list<ByteSpan> parts);
[[nodiscard]] inline Sha256Digest sha256(ByteSpan message) {
    return sha256({message});
}

/// FIPS 202.
[[nodiscard]] Sha3_256Digest sha3_256(std::initializer_list<ByteSpan> parts);
[[nodiscard]] inline Sha3_256Digest sha3_256(ByteSpan message) {
    return sha3_256({message});
}

/// BLAKE2s-256 (RFC 7693), without a key.
[[nodiscard]] Blake2sDigest blake2s(std::initializer_list<ByteSpan> parts);
[[nodiscard]] inline Blake2sDigest blake2s(ByteSpan message) {
    return blake2s({message});
}

/// BLAKE2s with a key (RFC 7693 section 2.9), out.size() bytes of it. Requires 1 to 32 bytes of key and of output.
void blake2s_keyed(ByteSpan key, std::initializer_list<ByteSpan> parts, MutableByteSpan out);

/// The same with N bytes of output: WireGuard's MAC() is blake2s_keyed<16>.
template <std::size_t N>
[[nodiscard]] std::array<std::byte, N> blake2s_keyed(ByteSpan key, std::initializer_list<ByteSpan> parts) {
    static_assert(N >= 1 && N <= 32);
    std::array<std::byte, N> out;
    blake2s_keyed(key, parts, MutableByteSpan{out});
    return out;
}

}  // namespace culvert::crypto
