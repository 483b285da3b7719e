#pragma once

#include <vector>

#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"

namespace culvert::tunnel {

/// What the TUN interface must look like. The routes are sorted and free of duplicates.
struct TunConfig {
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    std::vector<net::IpNetwork> ipv4_routes;
    std::vector<net::IpNetwork> ipv6_routes;

    friend bool operator==(const TunConfig&, const TunConfig&) = default;
};

/// The host must bring the interface to this state. Comes before all other pending events, and only for a change.
struct TunInterfaceUpdated {
    TunConfig config;
};

/// The relays known are of no use: connect to the portal anew, its `init` brings fresh ones.
struct ReconnectToPortal {};

}  // namespace culvert::tunnel
