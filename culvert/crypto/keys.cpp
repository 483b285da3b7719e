#include "culvert/crypto/keys.h"

#include <algorithm>

#include <sodium/crypto_scalarmult_curve25519.h>

#include "culvert/base/base64.h"

namespace culvert::crypto {
namespace {

unsigned char* raw(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* raw(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

std::optional<PublicKey> PublicKey::parse(std::string_view base64) {
    const auto decoded = from_base64(base64);
    PublicKey key;
    if (!decoded || decoded->size() != key.bytes.size()) {
        return std::nullopt;
    }
    std::copy(decoded->begin(), decoded->end(), key.bytes.begin());
    return key;
}

std::string PublicKey::to_string() const {
    return to_base64(bytes);
}

KeyPair KeyPair::generate(Rng& rng) {
    return from_private(Secret<32>::random(rng));
}

KeyPair KeyPair::from_private(const Secret<32>& private_key) {
    KeyPair pair;
    pair.private_key_ = private_key;
    const auto scalar = pair.private_key_.reveal();
    scalar[0] &= std::byte{248};
    scalar[31] &= std::byte{127};
    scalar[31] |= std::byte{64};
    // libsodium rather than EVP_PKEY: OpenSSL computes the public key anew whenever it imports a private one, which
    // would double the price of every Diffie-Hellman of a handshake.
    crypto_scalarmult_curve25519_base(raw(pair.public_key_.bytes.data()), raw(scalar.data()));
    return pair;
}

std::optional<Secret<32>> KeyPair::shared_secret(const PublicKey& peer) const {
    Secret<32> shared;
    if (crypto_scalarmult_curve25519(raw(shared.reveal().data()), raw(private_key_.reveal().data()),
                                     raw(peer.bytes.data())) != 0) {
        return std::nullopt;
    }
    return shared;
}

}  // namespace culvert::crypto
