#pragma once

#include "culvert/dns/address_ranges.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"

/// Address ranges with a meaning of their own inside the tunnel. Source: spec/tunnel.md section 1.1.
namespace culvert::tunnel {

/// TUN addresses of clients and gateways, assigned by the portal.
[[nodiscard]] const net::IpNetwork& peer_range(net::Family family);
// Those that stand for names.
using dns::is_sentinel_address;
using dns::proxy_range;
using dns::sentinel_range;

[[nodiscard]] inline bool is_peer_address(const net::IpAddress& address) {
    return peer_range(address.family()).contains(address);
}
[[nodiscard]] inline bool is_proxy_address(const net::IpAddress& address) {
    return proxy_range(address.family()).contains(address);
}

/// Everything that the tunnel keeps for itself: peers, proxy IPs, sentinels and what lies between them. No resource is
/// there, even if its network covers it.
[[nodiscard]] bool is_tunnel_address(const net::IpAddress& address);

/// Addresses that stand for no host that packets are routed to: unspecified ("this network"), loopback, multicast,
/// broadcast, IPv6 link-local, IPv4-mapped IPv6. No resource has them, even if its network covers them. Written to a
/// TUN device, some would be for the machine itself.
[[nodiscard]] bool is_reserved(const net::IpAddress& address);

/// Where `address` is, if machines keep there what is only for themselves: 169.254.0.0/16, and where clouds have the
/// like elsewhere, for example the credentials of a virtual machine. Only a resource whose network lies in that range
/// has such an address. Else null.
[[nodiscard]] const net::IpNetwork* platform_range(const net::IpAddress& address);

/// Networks that are somebody's own (RFC 1918, 4193, 3927, 6598) or nobody's (RFC 1112 section 4): no part of the
/// Internet.
[[nodiscard]] bool is_private(const net::IpAddress& address);

/// IGMPv3 reports and router solicitations: the operating system sends them into every interface, nobody wants them.
[[nodiscard]] bool is_always_dropped(const net::IpAddress& destination);

}  // namespace culvert::tunnel
