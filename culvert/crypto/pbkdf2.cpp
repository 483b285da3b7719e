#include "culvert/crypto/pbkdf2.h"

#include "culvert/crypto/openssl.h"

namespace culvert::crypto {

Bytes pbkdf2_hmac_sha256(ByteSpan password, ByteSpan salt, std::uint32_t iterations, std::size_t length) {
    Bytes key(length);
    const auto ok = PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(detail::raw(password.data())),
                                      static_cast<int>(password.size()), detail::raw(salt.data()),
                                      static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                                      static_cast<int>(length), detail::raw(key.data()));
    detail::require(ok == 1, "PKCS5_PBKDF2_HMAC");
    return key;
}

}  // namespace culvert::crypto
