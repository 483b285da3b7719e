// HMAC-SHA1 signs every STUN and TURN message. OpenSSL's interface for any algorithm costs three times what the hash
// itself does for messages of a hundred bytes, so SHA-1 is called directly; OpenSSL 3 calls that deprecated.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <algorithm>
#include <array>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "culvert/crypto/hmac.h"

namespace culvert::crypto {
namespace {

constexpr std::size_t kBlock = SHA_CBLOCK;
using Block = std::array<std::uint8_t, kBlock>;

/// Starts the hash of a key block combined with `pad`, to which a message is added.
void begin(SHA_CTX& hash, const Block& key, std::uint8_t pad) {
    Block block;
    std::ranges::transform(key, block.begin(), [&](std::uint8_t byte) { return byte ^ pad; });
    SHA1_Init(&hash);
    SHA1_Update(&hash, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace

// RFC 2104 section 2.
Sha1Digest hmac_sha1(ByteSpan key, std::initializer_list<ByteSpan> parts) {
    Block key_block{};
    if (key.size() > kBlock) {
        SHA1(reinterpret_cast<const std::uint8_t*>(key.data()), key.size(), key_block.data());
    } else {
        std::ranges::copy(key, reinterpret_cast<std::byte*>(key_block.data()));
    }
    std::array<std::uint8_t, SHA_DIGEST_LENGTH> inner;
    SHA_CTX hash;
    begin(hash, key_block, 0x36);
    for (const auto part : parts) {
        SHA1_Update(&hash, part.data(), part.size());
    }
    SHA1_Final(inner.data(), &hash);

    Sha1Digest out;
    begin(hash, key_block, 0x5c);
    SHA1_Update(&hash, inner.data(), inner.size());
    SHA1_Final(reinterpret_cast<std::uint8_t*>(out.data()), &hash);
    OPENSSL_cleanse(key_block.data(), key_block.size());
    OPENSSL_cleanse(&hash, sizeof hash);
    OPENSSL_cleanse(inner.data(), inner.size());
    return out;
}

}  // namespace culvert::crypto
