#pragma once

#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/crypto/hash.h"
#include "culvert/crypto/keys.h"
#include "culvert/crypto/secret.h"

namespace culvert::wireguard {

/// Chaining key and transcript hash of one Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s handshake, with the names of the Noise
/// specification, section 5.2.
class SymmetricState {
public:
    /// The state that both sides share before the first message: protocol name, prologue and the responder's key.
    explicit SymmetricState(const crypto::PublicKey& responder);

    void mix_hash(ByteSpan data);

    /// Mixes `input` into the chaining key.
    void mix_chain(ByteSpan input);
    /// Mixes `input` into the chaining key and yields the key for the next seal() or open().
    [[nodiscard]] crypto::Secret<32> mix_key(ByteSpan input);
    /// The same for the pre-shared key, which enters the transcript as well.
    [[nodiscard]] crypto::Secret<32> mix_key_and_hash(const crypto::PresharedKey& preshared);

    /// Encrypts with the transcript as additional data and mixes the ciphertext in. out.size() = plaintext.size() + 16.
    void seal(const crypto::Secret<32>& key, ByteSpan plaintext, MutableByteSpan out);
    /// Reverse of seal().
    [[nodiscard]] bool open(const crypto::Secret<32>& key, ByteSpan sealed, MutableByteSpan out);

    /// The transport keys: first the one the initiator sends with, then the one the responder sends with.
    [[nodiscard]] std::pair<crypto::Secret<32>, crypto::Secret<32>> split() const;

private:
    crypto::Secret<32> chaining_key_;
    crypto::Blake2sDigest hash_;
};

}  // namespace culvert::wireguard
