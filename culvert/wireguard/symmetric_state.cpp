#include "culvert/wireguard/symmetric_state.h"

#include <array>
#include <utility>

#include "culvert/crypto/aead.h"
#include "culvert/crypto/hmac.h"

namespace culvert::wireguard {
namespace {

using crypto::Secret;

constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";

/// HKDF of the Noise specification, section 4.3: N outputs.
template <std::size_t N>
std::array<Secret<32>, N> derive(const Secret<32>& chaining_key, ByteSpan input) {
    Secret<32> extracted;
    crypto::hmac_blake2s(chaining_key.reveal(), {input}, extracted.reveal());
    std::array<Secret<32>, N> outputs;
    ByteSpan previous;
    for (std::size_t i = 0; i < N; ++i) {
        const std::array number{static_cast<std::byte>(i + 1)};
        crypto::hmac_blake2s(extracted.reveal(), {previous, number}, outputs[i].reveal());
        previous = std::as_const(outputs[i]).reveal();
    }
    return outputs;
}

}  // namespace

SymmetricState::SymmetricState(const crypto::PublicKey& responder)
    : chaining_key_{crypto::blake2s(as_bytes(kConstruction))},
      hash_{crypto::blake2s({chaining_key_.reveal(), as_bytes(kIdentifier)})} {
    mix_hash(responder.bytes);
}

void SymmetricState::mix_hash(ByteSpan data) {
    hash_ = crypto::blake2s({hash_, data});
}

void SymmetricState::mix_chain(ByteSpan input) {
    chaining_key_ = derive<1>(chaining_key_, input)[0];
}

Secret<32> SymmetricState::mix_key(ByteSpan input) {
    const auto outputs = derive<2>(chaining_key_, input);
    chaining_key_ = outputs[0];
    return outputs[1];
}

Secret<32> SymmetricState::mix_key_and_hash(const crypto::PresharedKey& preshared) {
    const auto outputs = derive<3>(chaining_key_, preshared.reveal());
    chaining_key_ = outputs[0];
    mix_hash(outputs[1].reveal());
    return outputs[2];
}

void SymmetricState::seal(const Secret<32>& key, ByteSpan plaintext, MutableByteSpan out) {
    crypto::aead_seal(key, 0, plaintext, hash_, out);
    mix_hash(out);
}

bool SymmetricState::open(const Secret<32>& key, ByteSpan sealed, MutableByteSpan out) {
    if (!crypto::aead_open(key, 0, sealed, hash_, out)) {
        return false;
    }
    mix_hash(sealed);
    return true;
}

std::pair<Secret<32>, Secret<32>> SymmetricState::split() const {
    const auto outputs = derive<2>(chaining_key_, {});
    return {outputs[0], outputs[1]};
}

}  // namespace culvert::wireguard
