#include "culvert/packet/checksum.h"

namespace culvert::packet {

namespace {

// The upper and lower halves of 64-bit words are added up apart: 2^32 of them before anything overflows, which is why
// no carry needs care inside the loops.

constexpr std::uint64_t kLowHalf = 0xffffffff;

/// Compilers map this to whatever vector registers the target has.
using Lanes [[gnu::vector_size(32)]] = std::uint64_t;
constexpr std::size_t kStride = 2 * sizeof(Lanes);

/// Sum of the 32-bit words of `strides` * kStride bytes.
[[gnu::always_inline]] inline std::uint64_t sum_strides(const std::byte* at, std::size_t strides) {
    Lanes low_a{};
    Lanes low_b{};
    Lanes high_a{};
    Lanes high_b{};
    for (; strides > 0; --strides, at += kStride) {
        Lanes a;
        Lanes b;
        std::memcpy(&a, at, sizeof a);
        std::memcpy(&b, at + sizeof a, sizeof b);
        low_a += a & kLowHalf;
        high_a += a >> 32;
        low_b += b & kLowHalf;
        high_b += b >> 32;
    }
    const Lanes all = low_a + low_b + high_a + high_b;
    return all[0] + all[1] + all[2] + all[3];
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint64_t sum_strides_avx2(const std::byte* at, std::size_t strides) {
    return sum_strides(at, strides);
}
#endif

std::uint64_t sum_strides_on_this_machine(const std::byte* at, std::size_t strides) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") != 0) {
        return sum_strides_avx2(at, strides);
    }
#endif
    return sum_strides(at, strides);
}

}  // namespace

Checksum& Checksum::add_long(ByteSpan bytes) {
    const auto strides = bytes.size() / kStride;
    add_word(sum_strides_on_this_machine(bytes.data(), strides));
    return add_short(bytes.subspan(strides * kStride));
}

}  // namespace culvert::packet
