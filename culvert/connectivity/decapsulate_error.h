#pragma once

#include <optional>
#include <string_view>

#include "culvert/wireguard/error.h"

namespace culvert::connectivity {

/// Why a datagram was dropped. Nothing here harms the connection that it names or pretends to belong to.
struct DecapsulateError {
    enum class Kind {
        kTooLong,
        kUnknownRelay,
        kUnknownChannel,
        kUnknownStun,
        kNotWireGuard,
        kUnknownPeer,
        kUnknownIndex,
        kHandshake,
        kDecryption,
    };

    Kind kind;
    /// The peer was ours until a moment ago, so that stray packets are to be expected (section 11).
    bool is_recently_disconnected = false;
    /// What the tunnel or its handshake objected to, if it was asked.
    std::optional<wireguard::Error> cause;

    friend bool operator==(const DecapsulateError&, const DecapsulateError&) = default;
};

[[nodiscard]] std::string_view to_text(DecapsulateError::Kind kind);

}  // namespace culvert::connectivity
