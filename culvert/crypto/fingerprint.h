#pragma once

#include <string>

#include "culvert/base/bytes.h"
#include "culvert/crypto/secret.h"

namespace culvert::crypto {

/// What a snapshot shows instead of a secret: 8 hexadecimal digits of a hash, enough to see whether two are the same.
/// Not for secrets that could be guessed.
[[nodiscard]] std::string fingerprint(ByteSpan secret);

template <std::size_t N>
[[nodiscard]] std::string fingerprint(const Secret<N>& secret) {
    return fingerprint(secret.reveal());
}

}  // namespace culvert::crypto
