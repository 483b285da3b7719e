#pragma once

#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/net/ecn.h"
#include "culvert/net/socket_address.h"

namespace culvert::net {

/// Where a datagram goes and from which local address.
struct Path {
    /// Local address to send from; unset lets the operating system choose (traffic to relays).
    std::optional<IpAddress> source;
    SocketAddress destination;

    friend constexpr auto operator<=>(const Path&, const Path&) = default;
};

/// One datagram that a protocol object wants to be sent: control traffic and anything else off the hot path.
struct Transmit {
    Path path;
    Ecn ecn = Ecn::kNotEct;
    Bytes payload;

    friend bool operator==(const Transmit&, const Transmit&) = default;
};

}  // namespace culvert::net
