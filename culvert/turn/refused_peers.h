#pragma once

#include <map>

#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"

namespace culvert::turn {

/// The peers to which a relay gave us no channel, for as long as nothing is asked for them. Without this list every
/// packet to one of them would be a request, for ever.
class RefusedPeers {
public:
    /// Forgets the one whose time is up first if there are too many.
    void add(const net::SocketAddress& peer, Instant until);
    void clear() { peers_.clear(); }
    [[nodiscard]] bool contains(const net::SocketAddress& peer, Instant now) const;

private:
    std::map<net::SocketAddress, Instant> peers_;
};

}  // namespace culvert::turn
