#include "culvert/crypto/hmac.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "culvert/crypto/openssl.h"
#include "culvert/crypto/secret.h"

namespace culvert::crypto {
namespace {

using detail::raw;
using detail::require;

/// HMAC with one hash, fetched once, with a context that is used again and again.
class Hmac {
public:
    explicit Hmac(const char* hash)
        : algorithm_{EVP_MAC_fetch(nullptr, "HMAC", nullptr)}, context_{EVP_MAC_CTX_new(algorithm_)} {
        require(algorithm_ != nullptr && context_ != nullptr, "HMAC");
        std::string name{hash};
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                     OSSL_PARAM_construct_end()};
        require(EVP_MAC_CTX_set_params(context_, params) == 1, hash);
    }
    ~Hmac() {
        EVP_MAC_CTX_free(context_);
        EVP_MAC_free(algorithm_);
    }
    Hmac(const Hmac&) = delete;
    Hmac& operator=(const Hmac&) = delete;

    template <std::size_t N>
    std::array<std::byte, N> operator()(ByteSpan key, std::initializer_list<ByteSpan> parts) {
        std::array<std::byte, N> out;
        require(EVP_MAC_init(context_, raw(key.data()), key.size(), nullptr) == 1, "EVP_MAC_init");
        for (const auto part : parts) {
            require(EVP_MAC_update(context_, raw(part.data()), part.size()) == 1, "EVP_MAC_update");
        }
        std::size_t written = 0;
        require(EVP_MAC_final(context_, raw(out.data()), &written, out.size()) == 1, "EVP_MAC_final");
        // The context keeps the key until it gets another.
        static constexpr std::array<std::byte, N> kNoKey{};
        require(EVP_MAC_init(context_, raw(kNoKey.data()), kNoKey.size(), nullptr) == 1, "EVP_MAC_init");
        return out;
    }

private:
    EVP_MAC* algorithm_;
    EVP_MAC_CTX* context_;
};

/// HMAC with BLAKE2s. WireGuard derives its keys with it: OpenSSL's contexts for HMAC would keep the last one's until
/// the next handshake, while those for hashes are wiped with each result.
class HmacBlake2s {
public:
    HmacBlake2s() : algorithm_{EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr)}, context_{EVP_MD_CTX_new()} {
        require(algorithm_ != nullptr && context_ != nullptr, "BLAKE2S-256");
    }
    ~HmacBlake2s() {
        EVP_MD_CTX_free(context_);
        EVP_MD_free(algorithm_);
    }
    HmacBlake2s(const HmacBlake2s&) = delete;
    HmacBlake2s& operator=(const HmacBlake2s&) = delete;

    // RFC 2104 section 2.
    void operator()(ByteSpan key, std::initializer_list<ByteSpan> parts, MutableByteSpan out) {
        Secret<kBlock> block;
        if (key.size() > kBlock) {
            hash({key}, block.reveal().first<32>());
        } else {
            std::ranges::copy(key, block.reveal().begin());
        }
        Secret<32> inner;
        flip(block, kInnerPad);
        begin();
        add(block.reveal());
        for (const auto part : parts) {
            add(part);
        }
        end(inner.reveal());
        flip(block, kInnerPad ^ kOuterPad);
        hash({block.reveal(), inner.reveal()}, out);
    }

private:
    static constexpr std::size_t kBlock = 64;
    static constexpr std::byte kInnerPad{0x36};
    static constexpr std::byte kOuterPad{0x5c};

    static void flip(Secret<kBlock>& block, std::byte pad) {
        for (auto& byte : block.reveal()) {
            byte ^= pad;
        }
    }

    void begin() { require(EVP_DigestInit_ex2(context_, algorithm_, nullptr) == 1, "EVP_DigestInit_ex2"); }
    void add(ByteSpan part) {
        require(EVP_DigestUpdate(context_, raw(part.data()), part.size()) == 1, "EVP_DigestUpdate");
    }
    void end(MutableByteSpan out) {
        require(EVP_DigestFinal_ex(context_, raw(out.data()), nullptr) == 1, "EVP_DigestFinal_ex");
    }
    void hash(std::initializer_list<ByteSpan> parts, MutableByteSpan out) {
        begin();
        for (const auto part : parts) {
            add(part);
        }
        end(out);
    }

    EVP_MD* algorithm_;
    EVP_MD_CTX* context_;
};

}  // namespace

Sha256Digest hmac_sha256(ByteSpan key, std::initializer_list<ByteSpan> parts) {
    thread_local Hmac hmac{"SHA2-256"};
    return hmac.operator()<32>(key, parts);
}

void hmac_blake2s(ByteSpan key, std::initializer_list<ByteSpan> parts, MutableByteSpan out) {
    assert(out.size() == std::tuple_size_v<Blake2sDigest>);
    thread_local HmacBlake2s hmac;
    hmac(key, parts, out);
}

Blake2sDigest hmac_blake2s(ByteSpan key, std::initializer_list<ByteSpan> parts) {
    Blake2sDigest digest;
    hmac_blake2s(key, parts, digest);
    return digest;
}

}  // namespace culvert::crypto
