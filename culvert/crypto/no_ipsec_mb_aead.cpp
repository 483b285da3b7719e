#include <stdexcept>

#include "culvert/crypto/aead_backends.h"

// In place of ipsec_mb_aead.cpp in builds without the library, such as all for other processors than x86-64.

namespace culvert::crypto::detail {

bool ipsec_mb_is_available() {
    return false;
}

std::unique_ptr<AeadContext> make_ipsec_mb_context(const Secret<32>&) {
    throw std::logic_error{"ipsec-mb is not part of this build"};
}

}  // namespace culvert::crypto::detail
