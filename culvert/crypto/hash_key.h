#pragma once

#include <cstddef>
#include <cstdint>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/crypto/secret.h"

namespace culvert::crypto {

/// A secret hash function for tables whose keys strangers choose: without the key nobody can find values that land in
/// the same place, and so make look-ups slow or push others out. SipHash-2-4; no substitute for the functions of
/// hash.h.
class HashKey {
public:
    explicit HashKey(Rng& rng) : key_{Secret<16>::random(rng)} {}

    [[nodiscard]] std::uint64_t operator()(ByteSpan bytes) const;

private:
    Secret<16> key_;
};

}  // namespace culvert::crypto
