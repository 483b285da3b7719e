#pragma once

#include <optional>

#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"

namespace culvert::connectivity {

/// Where packets for a peer go, since when.
struct SendPath {
    /// Unset: through a relay of ours.
    std::optional<net::SocketAddress> source;
    net::SocketAddress destination;
    Instant activated_at;

    friend bool operator==(const SendPath&, const SendPath&) = default;
};

}  // namespace culvert::connectivity
