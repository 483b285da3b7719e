#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"

/// What the TURN server asks its surroundings to do, in order (spec/relay.md section 8).
namespace culvert::turn {

/// Send from the listen port.
struct SendMessage {
    net::SocketAddress client;
    Bytes payload;

    friend bool operator==(const SendMessage&, const SendMessage&) = default;
};

/// Open a UDP socket on this port. If that fails call Server::handle_allocation_failed() before taking the next
/// command: the answer to the client has not left yet.
struct CreateAllocation {
    std::uint16_t port;
    net::Family family;

    friend bool operator==(const CreateAllocation&, const CreateAllocation&) = default;
};

/// Close it again. May name a socket that could not be opened.
struct FreeAllocation {
    std::uint16_t port;
    net::Family family;

    friend bool operator==(const FreeAllocation&, const FreeAllocation&) = default;
};

/// Data may flow between `client`, in this channel, and `peer`, seen from `port`. Repeated on every refresh of the
/// channel, because it may have been deleted in between.
struct CreateChannelBinding {
    net::SocketAddress client;
    std::uint16_t channel;
    net::SocketAddress peer;
    std::uint16_t port;

    friend bool operator==(const CreateChannelBinding&, const CreateChannelBinding&) = default;
};

/// No more. May name a binding that is gone already.
struct DeleteChannelBinding {
    net::SocketAddress client;
    std::uint16_t channel;
    net::SocketAddress peer;
    std::uint16_t port;

    friend bool operator==(const DeleteChannelBinding&, const DeleteChannelBinding&) = default;
};

using Command = std::variant<SendMessage, CreateAllocation, FreeAllocation, CreateChannelBinding, DeleteChannelBinding>;

}  // namespace culvert::turn
