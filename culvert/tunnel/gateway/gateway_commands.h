#pragma once

#include <vector>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/tunnel/names/name_requests.h"

namespace culvert::tunnel {

/// The answer to LookUpName.
struct NameFound {
    NameRequests::LookUpId id;
    /// Of both families. Empty: the name has none, which is no failure.
    std::vector<net::IpAddress> addresses;
    /// How long that is true; kResolvedTime if nobody knows.
    Duration lifetime{};
};
struct NameLookUpFailed {
    NameRequests::LookUpId id;
};

/// The host's own addresses. What it serves there is for clients that have a resource with the address, and not part of
/// the Internet.
struct SetHostAddresses {
    std::vector<net::IpAddress> addresses;
};

}  // namespace culvert::tunnel
