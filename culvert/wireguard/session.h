#pragma once

#include <cstdint>
#include <expected>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/crypto/aead.h"
#include "culvert/wireguard/error.h"
#include "culvert/wireguard/handshake.h"
#include "culvert/wireguard/replay_window.h"
#include "culvert/wireguard/tunnel_state.h"

namespace culvert::wireguard {

/// The transport keys that one handshake yielded, and what was sent and received with them.
class Session {
public:
    Session(HandshakeRole role, std::uint32_t local_index, std::uint32_t peer_index, const TransportSecrets& secrets,
            Instant now);

    /// Writes a data packet: header, ciphertext and tag. `out` must have plaintext.size() + kDataOverhead bytes; see
    /// Tunnel::seal() for overlap. Requires can_send().
    void seal(ByteSpan plaintext, MutableByteSpan out);

    /// Decrypts a data packet in place. Errors: kReplayed, kBadTag. Requires `datagram` to be of kind kData.
    [[nodiscard]] std::expected<MutableByteSpan, Error> open(MutableByteSpan datagram);

    /// Whether new packets may leave: the initiator stops earlier than the responder.
    [[nodiscard]] bool can_send(Instant now) const;
    [[nodiscard]] Instant expires_at() const;

    [[nodiscard]] bool is_initiator() const { return role_ == HandshakeRole::kInitiator; }
    [[nodiscard]] std::uint32_t local_index() const { return local_index_; }
    [[nodiscard]] Instant established_at() const { return established_at_; }

    /// Whether the peer is known to have the keys: at once for an initiator, for a responder with the first packet.
    [[nodiscard]] bool is_confirmed() const { return confirmed_; }
    void confirm() { confirmed_ = true; }

    [[nodiscard]] SessionState state() const;

private:
    HandshakeRole role_;
    bool confirmed_;
    std::uint32_t local_index_;
    std::uint32_t peer_index_;
    Instant established_at_;
    Instant stops_sending_at_;
    std::uint64_t next_counter_ = 0;
    crypto::TransportKey sending_;
    crypto::TransportKey receiving_;
    ReplayWindow window_;
};

}  // namespace culvert::wireguard
