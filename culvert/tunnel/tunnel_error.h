#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "culvert/net/socket_address.h"

namespace culvert::tunnel {

/// Why one packet was dropped, for a person who reads the log. An error never stops the batch it occurred in.
struct TunnelError {
    /// A constant text.
    std::string_view reason;
    /// Where the datagram came from; the unspecified address for packets from the TUN interface.
    net::SocketAddress from;
    /// Expected after a connection went away moments ago: not worth more than DEBUG (spec/tunnel.md section 7.4).
    bool is_expected = false;
};

/// The errors of one tick, handed up together.
struct TunnelErrors {
    std::vector<TunnelError> errors;
    /// Errors beyond kMaxErrorsPerTick.
    std::size_t omitted = 0;
};

}  // namespace culvert::tunnel
