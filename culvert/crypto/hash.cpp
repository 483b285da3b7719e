#include "culvert/crypto/hash.h"

#include <memory>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "culvert/crypto/openssl.h"

namespace culvert::crypto {
namespace {

using detail::raw;
using detail::require;

/// An algorithm fetched once and a context that is used again and again: both are most of the price of a short hash.
class Digest {
public:
    explicit Digest(const char* name) : algorithm_{EVP_MD_fetch(nullptr, name, nullptr)}, context_{EVP_MD_CTX_new()} {
        require(algorithm_ != nullptr && context_ != nullptr, name);
    }
    ~Digest() {
        EVP_MD_CTX_free(context_);
        EVP_MD_free(algorithm_);
    }
    Digest(const Digest&) = delete;
    Digest& operator=(const Digest&) = delete;

    template <std::size_t N>
    std::array<std::byte, N> operator()(std::initializer_list<ByteSpan> parts) {
        std::array<std::byte, N> out;
        require(EVP_DigestInit_ex2(context_, algorithm_, nullptr) == 1, "EVP_DigestInit_ex2");
        for (const auto part : parts) {
            require(EVP_DigestUpdate(context_, raw(part.data()), part.size()) == 1, "EVP_DigestUpdate");
        }
        require(EVP_DigestFinal_ex(context_, raw(out.data()), nullptr) == 1, "EVP_DigestFinal_ex");
        return out;
    }

private:
    EVP_MD* algorithm_;
    EVP_MD_CTX* context_;
};

class KeyedBlake2s {
public:
    KeyedBlake2s() : algorithm_{EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr)}, context_{EVP_MAC_CTX_new(algorithm_)} {
        require(algorithm_ != nullptr && context_ != nullptr, "BLAKE2SMAC");
    }
    ~KeyedBlake2s() {
        EVP_MAC_CTX_free(context_);
        EVP_MAC_free(algorithm_);
    }
    KeyedBlake2s(const KeyedBlake2s&) = delete;
    KeyedBlake2s& operator=(const KeyedBlake2s&) = delete;

    void operator()(ByteSpan key, std::initializer_list<ByteSpan> parts, MutableByteSpan out) {
        auto size = out.size();
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
        require(EVP_MAC_init(context_, raw(key.data()), key.size(), params) == 1, "EVP_MAC_init");
        for (const auto part : parts) {
            require(EVP_MAC_update(context_, raw(part.data()), part.size()) == 1, "EVP_MAC_update");
        }
        std::size_t written = 0;
        require(EVP_MAC_final(context_, raw(out.data()), &written, out.size()) == 1, "EVP_MAC_final");
    }

private:
    EVP_MAC* algorithm_;
    EVP_MAC_CTX* context_;
};

}  // namespace

Md5Digest md5(std::initializer_list<ByteSpan> parts) {
    thread_local Digest digest{"MD5"};
    return digest.operator()<16>(parts);
}

Sha1Digest sha1(std::initializer_list<ByteSpan> parts) {
    thread_local Digest digest{"SHA1"};
    return digest.operator()<20>(parts);
}

Sha256Digest sha256(std::initializer_list<ByteSpan> parts) {
    thread_local Digest digest{"SHA2-256"};
    return digest.operator()<32>(parts);
}

Sha3_256Digest sha3_256(std::initializer_list<ByteSpan> parts) {
    thread_local Digest digest{"SHA3-256"};
    return digest.operator()<32>(parts);
}

Blake2sDigest blake2s(std::initializer_list<ByteSpan> parts) {
    thread_local Digest digest{"BLAKE2S-256"};
    return digest.operator()<32>(parts);
}

void blake2s_keyed(ByteSpan key, std::initializer_list<ByteSpan> parts, MutableByteSpan out) {
    thread_local KeyedBlake2s mac;
    mac(key, parts, out);
}

}  // namespace culvert::crypto
