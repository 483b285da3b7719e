#pragma once

#include <optional>
#include <string>
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
    /// Whom the host shall ask about names, in this order. Empty: it keeps the resolvers that it has.
    std::vector<net::IpAddress> dns_servers = {};
    /// What the host shall append to names of one label.
    std::optional<std::string> search_domain = {};

    friend bool operator==(const TunConfig&, const TunConfig&) = default;
};

}  // namespace culvert::tunnel
