#include "culvert/crypto/fingerprint.h"

#include "culvert/crypto/hash.h"

namespace culvert::crypto {

std::string fingerprint(ByteSpan secret) {
    return to_hex(ByteSpan{sha256({as_bytes("fingerprint"), secret})}.first(4));
}

}  // namespace culvert::crypto
