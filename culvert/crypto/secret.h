#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"

namespace culvert::crypto {

/// Overwrites memory in a way the compiler may not drop.
void zeroise(MutableByteSpan bytes);

/// Overwrites what the functions that returned a moment ago left on the stack and in vector registers: copies that the
/// compiler made, and what libraries do not wipe. Call it where a calculation with keys is over, in the function that
/// called for it.
void wipe_stack();

/// Compares without revealing by its duration where the first difference is. Lengths are not secret.
[[nodiscard]] bool equal_constant_time(ByteSpan a, ByteSpan b);

/// N secret bytes: zeroised when they go away, compared in constant time, printed by nothing.
template <std::size_t N>
class Secret {
public:
    Secret() = default;
    explicit Secret(const std::array<std::byte, N>& bytes) : bytes_{bytes} {}
    ~Secret() { zeroise(bytes_); }
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;

    /// N bytes of a generator, straight into the place where they are wiped.
    [[nodiscard]] static Secret random(Rng& rng) {
        Secret secret;
        rng.fill(secret.bytes_);
        return secret;
    }

    /// Requires bytes.size() == N.
    [[nodiscard]] static Secret from_bytes(ByteSpan bytes) {
        Secret secret;
        std::memcpy(secret.bytes_.data(), bytes.data(), N);
        return secret;
    }

    /// The bytes themselves, for the functions that need them.
    [[nodiscard]] std::span<const std::byte, N> reveal() const { return bytes_; }
    [[nodiscard]] std::span<std::byte, N> reveal() { return bytes_; }

    friend bool operator==(const Secret& a, const Secret& b) { return equal_constant_time(a.bytes_, b.bytes_); }

private:
    std::array<std::byte, N> bytes_{};
};

}  // namespace culvert::crypto
