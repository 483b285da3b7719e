#include "culvert/connectivity/identity.h"

#include "culvert/crypto/hash.h"

namespace culvert::connectivity {
namespace {

/// Lets a relay's operator tell the sessions of one device apart.
std::string software_attribute(const crypto::PublicKey& key) {
    const auto digest = crypto::sha256({as_bytes("SESSION-ID"), key.bytes});
    auto hex = to_hex(digest);
    for (auto& c : hex) {
        c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return "snownet; session=" + hex;
}

crypto::KeyPair generate_keys(Rng rng) {
    return crypto::KeyPair::generate(rng);
}

}  // namespace

NodeIdentity::NodeIdentity(const Rng& rng, Instant now)
    : keys{generate_keys(rng.child("keys"))},
      limiter{keys.public_key(), rng.child("cookies"), now},
      limiter_cleared_at{now},
      software{software_attribute(keys.public_key())} {}

}  // namespace culvert::connectivity
