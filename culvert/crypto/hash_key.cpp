#include "culvert/crypto/hash_key.h"

#include <sodium/crypto_shorthash_siphash24.h>

namespace culvert::crypto {

std::uint64_t HashKey::operator()(ByteSpan bytes) const {
    std::array<std::byte, crypto_shorthash_siphash24_BYTES> hash;
    crypto_shorthash_siphash24(reinterpret_cast<unsigned char*>(hash.data()),
                               reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                               reinterpret_cast<const unsigned char*>(key_.reveal().data()));
    return load_le<std::uint64_t>(hash);
}

}  // namespace culvert::crypto
