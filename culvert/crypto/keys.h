#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"
#include "culvert/crypto/secret.h"

namespace culvert::crypto {

/// An X25519 public key (RFC 7748); as text: standard base64 with padding, 44 characters.
struct PublicKey {
    std::array<std::byte, 32> bytes{};

    [[nodiscard]] static std::optional<PublicKey> parse(std::string_view base64);
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

/// The WireGuard pre-shared key that the portal hands to both sides.
using PresharedKey = Secret<32>;

/// An X25519 private key and the public key that belongs to it.
class KeyPair {
public:
    [[nodiscard]] static KeyPair generate(Rng& rng);
    /// Clamps `private_key` as RFC 7748 section 5 says.
    [[nodiscard]] static KeyPair from_private(const Secret<32>& private_key);

    [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
    [[nodiscard]] const Secret<32>& private_key() const { return private_key_; }

    /// The Diffie-Hellman secret with `peer`. nullopt if it is all zero (a low-order point).
    [[nodiscard]] std::optional<Secret<32>> shared_secret(const PublicKey& peer) const;

private:
    Secret<32> private_key_;
    PublicKey public_key_;
};

}  // namespace culvert::crypto
