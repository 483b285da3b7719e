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

}  // namespace culvert::tunnel
