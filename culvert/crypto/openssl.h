#pragma once

#include <stdexcept>
#include <string>

#include <openssl/evp.h>

/// What the OpenSSL-backed files of this folder share. Private to the folder.
namespace culvert::crypto::detail {

/// OpenSSL calls made here fail only if the library is broken or memory ran out.
inline void require(bool ok, const char* what) {
    if (!ok) {
        throw std::runtime_error{std::string{"OpenSSL failed: "} + what};
    }
}

inline const unsigned char* raw(const std::byte* bytes) {
    // Several OpenSSL functions take a null pointer for "keep what was set before", which an empty span must not mean.
    static constexpr unsigned char kNothing = 0;
    return bytes == nullptr ? &kNothing : reinterpret_cast<const unsigned char*>(bytes);
}
inline unsigned char* raw(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}

}  // namespace culvert::crypto::detail
