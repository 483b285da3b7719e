#pragma once

#include <cstdint>
#include <string_view>

namespace culvert::wireguard {

/// Why an inbound datagram was not accepted. Never fatal for the tunnel: a peer that lost step is caught by its timers.
enum class Error : std::uint8_t {
    /// Type or size is not WireGuard's.
    kNotWireGuard,
    /// MAC1 is wrong: the sender does not know our public key.
    kBadMac,
    /// Too many handshakes: the sender must show a cookie first.
    kUnderLoad,
    /// The peer, or the address it comes from, sends handshakes faster than anybody needs to.
    kTooManyHandshakes,
    /// The static key is not that of this tunnel's peer.
    kWrongPeer,
    /// The timestamp is not newer than the last one accepted: a replayed initiation.
    kOldTimestamp,
    /// No session, or no outstanding handshake, has this receiver index.
    kUnknownIndex,
    /// Authentication failed.
    kBadTag,
    /// The counter was seen before, or is too far behind, or too large.
    kReplayed,
    /// What was inside is not one whole IP packet.
    kBadInnerPacket,
    /// The tunnel has expired.
    kExpired,
};

[[nodiscard]] std::string_view to_string(Error error);

}  // namespace culvert::wireguard
