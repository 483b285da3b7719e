#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace culvert {

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

/// The integer at the start of `bytes`, most significant byte first. Requires bytes.size() >= sizeof(T).
template <std::unsigned_integral T>
[[nodiscard]] inline T load_be(ByteSpan bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) {
        value = std::byteswap(value);
    }
    return value;
}

/// The integer at the start of `bytes`, least significant byte first. Requires bytes.size() >= sizeof(T).
template <std::unsigned_integral T>
[[nodiscard]] inline T load_le(ByteSpan bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    if constexpr (std::endian::native == std::endian::big && sizeof(T) > 1) {
        value = std::byteswap(value);
    }
    return value;
}

/// Writes `value` at the start of `bytes`, most significant byte first. Requires bytes.size() >= sizeof(T).
template <std::unsigned_integral T>
inline void store_be(MutableByteSpan bytes, T value) {
    if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) {
        value = std::byteswap(value);
    }
    std::memcpy(bytes.data(), &value, sizeof value);
}

/// Writes `value` at the start of `bytes`, least significant byte first. Requires bytes.size() >= sizeof(T).
template <std::unsigned_integral T>
inline void store_le(MutableByteSpan bytes, T value) {
    if constexpr (std::endian::native == std::endian::big && sizeof(T) > 1) {
        value = std::byteswap(value);
    }
    std::memcpy(bytes.data(), &value, sizeof value);
}

template <std::unsigned_integral T>
inline void append_be(Bytes& out, T value) {
    const auto at = out.size();
    out.resize(at + sizeof value);
    store_be(MutableByteSpan{out}.subspan(at), value);
}

inline void append(Bytes& out, ByteSpan bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

/// The bytes of a text, and the text of some bytes; neither copies.
[[nodiscard]] inline ByteSpan as_bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}
[[nodiscard]] inline std::string_view as_text(ByteSpan bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes to_bytes(ByteSpan bytes) {
    return {bytes.begin(), bytes.end()};
}
[[nodiscard]] inline bool equal(ByteSpan a, ByteSpan b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Lower-case hexadecimal digits, two per byte.
[[nodiscard]] std::string to_hex(ByteSpan bytes);

/// Reverse of to_hex(); accepts either case. nullopt for an odd length or any other character.
[[nodiscard]] std::optional<Bytes> from_hex(std::string_view text);

}  // namespace culvert
