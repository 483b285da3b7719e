#include "culvert/crypto/hmac.h"

#include <string>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "culvert/crypto/openssl.h"

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
        return out;
    }

private:
    EVP_MAC* algorithm_;
    EVP_MAC_CTX* context_;
};

}  // namespace

Sha256Digest hmac_sha256(ByteSpan key, std::initializer_list<ByteSpan> parts) {
    thread_local Hmac hmac{"SHA2-256"};
    return hmac.operator()<32>(key, parts);
}

Blake2sDigest hmac_blake2s(ByteSpan key, std::initializer_list<ByteSpan> parts) {
    thread_local Hmac hmac{"BLAKE2S-256"};
    return hmac.operator()<32>(key, parts);
}

}  // namespace culvert::crypto
