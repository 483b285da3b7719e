#pragma once

#include <cstddef>
#include <map>

#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"

namespace culvert::connectivity {

/// Which addresses of one peer may have a channel on our relay.
///
/// A relay's allocation has 4096 channels, all connections share them, and their peers say which addresses they need:
/// without a limit one peer could name thousands and leave no channel to the others.
class ChannelQuota {
public:
    /// Whether a channel to `address` may be bound or used now; counts the address if it is new.
    [[nodiscard]] bool admit(const net::SocketAddress& address, Instant now);

private:
    void forget_old(Instant now);

    std::map<net::SocketAddress, Instant> last_admitted_;
};

}  // namespace culvert::connectivity
