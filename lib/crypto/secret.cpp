#include "culvert/crypto/secret.h"

#include <openssl/crypto.h>

namespace culvert::crypto {

void zeroise(MutableByteSpan bytes) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
}

bool equal_constant_time(ByteSpan a, ByteSpan b) {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace culvert::crypto
