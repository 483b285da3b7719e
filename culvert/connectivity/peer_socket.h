#pragma once

#include "culvert/net/socket_address.h"

namespace culvert::connectivity {

/// A nominated pair as the node sends through it (spec/connectivity.md section 6).
struct PeerSocket {
    net::SocketAddress source;
    net::SocketAddress destination;
    /// `source` is an address on one of our relays: packets travel as ChannelData.
    bool is_relayed = false;

    friend bool operator==(const PeerSocket&, const PeerSocket&) = default;
};

}  // namespace culvert::connectivity
