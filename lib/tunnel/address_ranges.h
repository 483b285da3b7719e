#pragma once

#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"

/// Address ranges with a meaning of their own inside the tunnel. Source: spec/tunnel.md section 1.1.
namespace culvert::tunnel {

/// TUN addresses of clients and gateways, assigned by the portal.
[[nodiscard]] const net::IpNetwork& peer_range(net::Family family);
/// Addresses that clients hand out for DNS resources.
[[nodiscard]] const net::IpNetwork& proxy_range(net::Family family);
/// Addresses of the stub DNS servers. For IPv4 it lies inside the proxy range.
[[nodiscard]] const net::IpNetwork& sentinel_range(net::Family family);

[[nodiscard]] inline bool is_peer_address(const net::IpAddress& address) {
    return peer_range(address.family()).contains(address);
}
[[nodiscard]] inline bool is_proxy_address(const net::IpAddress& address) {
    return proxy_range(address.family()).contains(address);
}
[[nodiscard]] inline bool is_sentinel_address(const net::IpAddress& address) {
    return sentinel_range(address.family()).contains(address);
}

/// IGMPv3 reports and router solicitations: the operating system sends them into every interface, nobody wants them.
[[nodiscard]] bool is_always_dropped(const net::IpAddress& destination);

}  // namespace culvert::tunnel
