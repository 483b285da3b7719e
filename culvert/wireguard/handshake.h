#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/crypto/aead.h"
#include "culvert/crypto/keys.h"
#include "culvert/crypto/secret.h"
#include "culvert/wireguard/error.h"
#include "culvert/wireguard/symmetric_state.h"
#include "culvert/wireguard/tai64n.h"

/// The two handshake messages (WireGuard paper 5.4.2 and 5.4.3), without their MACs.
namespace culvert::wireguard {

/// Who we are and whom we talk to.
struct Identities {
    crypto::KeyPair local;
    crypto::PublicKey peer;
    crypto::PresharedKey preshared;
    /// Diffie-Hellman of the two static keys; part of every handshake.
    crypto::Secret<32> static_shared;
};

/// What the initiator remembers until the response arrives.
struct OutstandingInitiation {
    std::uint32_t index;
    crypto::KeyPair ephemeral;
    SymmetricState state;
};

/// An initiation of which the responder has read who it claims to be from. Anybody can claim to be anybody.
struct OpenedInitiation {
    std::uint32_t peer_index;
    crypto::PublicKey peer_ephemeral;
    crypto::PublicKey claimed_peer;
    std::array<std::byte, 12 + crypto::kTagSize> sealed_timestamp;
    SymmetricState state;
};

/// What the responder knows after the initiation.
struct ReceivedInitiation {
    std::uint32_t peer_index;
    crypto::PublicKey peer_ephemeral;
    Tai64n timestamp;
    SymmetricState state;
};

struct TransportSecrets {
    crypto::Secret<32> sending;
    crypto::Secret<32> receiving;
};

/// Returns the message with room for the MACs. Requires a peer key that is not of low order.
[[nodiscard]] std::pair<Bytes, OutstandingInitiation> write_initiation(const Identities& identities,
                                                                       std::uint32_t index, const Tai64n& timestamp,
                                                                       Rng& rng);

/// The first half of reading an initiation: whose static key is inside. Costs a Diffie-Hellman, so ask the
/// HandshakeLimiter first. Error kBadTag. Requires `message` to be of kind kInitiation.
[[nodiscard]] std::expected<OpenedInitiation, Error> open_initiation(const crypto::KeyPair& local, ByteSpan message);
/// The second half, which proves the claim and is cheap. The preshared key is no part of an initiation, so that
/// tunnels with the same peer all accept the same ones. Errors: kBadTag, kWrongPeer.
[[nodiscard]] std::expected<ReceivedInitiation, Error> read_initiation(const Identities& identities,
                                                                       const OpenedInitiation& initiation);

/// Returns the message with room for the MACs. Error kBadTag if the peer's ephemeral key is of low order.
[[nodiscard]] std::expected<std::pair<Bytes, TransportSecrets>, Error> write_response(const Identities& identities,
                                                                                      ReceivedInitiation initiation,
                                                                                      std::uint32_t index, Rng& rng);
/// Error kBadTag. Requires `message` to be of kind kResponse and to answer `initiation`.
[[nodiscard]] std::expected<TransportSecrets, Error> read_response(const Identities& identities,
                                                                   const OutstandingInitiation& initiation,
                                                                   ByteSpan message);

}  // namespace culvert::wireguard
