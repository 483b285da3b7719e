#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "culvert/base/uuid.h"

namespace culvert::connectivity {

/// On a client the id of the gateway, on a gateway the id of the client.
using ConnectionId = Uuid;

/// The peer must learn of this candidate of ours. Candidates drained in one go belong into one message per connection,
/// by descending priority (spec/connectivity.md section 3.4).
struct NewIceCandidate {
    ConnectionId id;
    std::string candidate;
    std::uint32_t priority;

    friend bool operator==(const NewIceCandidate&, const NewIceCandidate&) = default;
};

/// The peer must forget this candidate of ours.
struct InvalidateIceCandidate {
    ConnectionId id;
    std::string candidate;
    std::uint32_t priority;

    friend bool operator==(const InvalidateIceCandidate&, const InvalidateIceCandidate&) = default;
};

/// The first WireGuard handshake succeeded. Once per connection.
struct ConnectionEstablished {
    ConnectionId id;

    friend bool operator==(const ConnectionEstablished&, const ConnectionEstablished&) = default;
};

/// The connection timed out and is gone.
struct ConnectionFailed {
    ConnectionId id;
    /// The peer has never told us of a candidate, nor been heard of.
    bool was_silent = false;

    friend bool operator==(const ConnectionFailed&, const ConnectionFailed&) = default;
};

/// The connection was closed by close_connection(), close_all() or reset() and is gone.
struct ConnectionClosed {
    ConnectionId id;

    friend bool operator==(const ConnectionClosed&, const ConnectionClosed&) = default;
};

using Event =
    std::variant<NewIceCandidate, InvalidateIceCandidate, ConnectionEstablished, ConnectionFailed, ConnectionClosed>;

}  // namespace culvert::connectivity
