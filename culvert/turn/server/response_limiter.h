#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/turn/server/constants.h"
#include "culvert/turn/server/flow_map.h"

namespace culvert::turn {

/// How many answers a network gets that has proven nothing, so that nobody who forges source addresses can have the
/// relay flood somebody else.
///
/// Counts per /24 or /48, in a table of fixed size: networks that fall into one place share its limit, and a secret key
/// decides which do. Allocates nothing after construction.
class ResponseLimiter {
public:
    explicit ResponseLimiter(std::uint64_t key);

    /// Whether one more answer may go to this address; counts it if so.
    [[nodiscard]] bool allow(const net::IpAddress& client, Instant now);

private:
    FlowHash hash_;
    /// When each network would have its whole burst again. A leaky bucket that needs one number.
    std::vector<Instant> full_at_;
};

}  // namespace culvert::turn
