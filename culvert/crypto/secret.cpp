#include "culvert/crypto/secret.h"

#include <openssl/crypto.h>
#include <sodium/utils.h>

namespace culvert::crypto {
namespace {

/// Far more than a handshake needs.
constexpr std::size_t kStackOfCalculations = 16 * 1024;

/// Ciphers leave their keys there, and whoever saves the registers next writes them to memory. By the calling
/// convention nothing that is still needed is in them when a function is called.
[[gnu::noinline]] void wipe_vector_registers() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        asm volatile(
            "vpxord %zmm16, %zmm16, %zmm16\n\tvpxord %zmm17, %zmm17, %zmm17\n\t"
            "vpxord %zmm18, %zmm18, %zmm18\n\tvpxord %zmm19, %zmm19, %zmm19\n\t"
            "vpxord %zmm20, %zmm20, %zmm20\n\tvpxord %zmm21, %zmm21, %zmm21\n\t"
            "vpxord %zmm22, %zmm22, %zmm22\n\tvpxord %zmm23, %zmm23, %zmm23\n\t"
            "vpxord %zmm24, %zmm24, %zmm24\n\tvpxord %zmm25, %zmm25, %zmm25\n\t"
            "vpxord %zmm26, %zmm26, %zmm26\n\tvpxord %zmm27, %zmm27, %zmm27\n\t"
            "vpxord %zmm28, %zmm28, %zmm28\n\tvpxord %zmm29, %zmm29, %zmm29\n\t"
            "vpxord %zmm30, %zmm30, %zmm30\n\tvpxord %zmm31, %zmm31, %zmm31");
    }
    if (__builtin_cpu_supports("avx")) {
        asm volatile("vzeroall");
    }
#endif
}

}  // namespace

void zeroise(MutableByteSpan bytes) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
}

void wipe_stack() {
    wipe_vector_registers();  // first, or a call could save them
    sodium_stackzero(kStackOfCalculations);
}

bool equal_constant_time(ByteSpan a, ByteSpan b) {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace culvert::crypto
