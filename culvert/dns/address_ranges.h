#pragma once

#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"

/// Address ranges that stand for names. Source: spec/dns.md section 1.
namespace culvert::dns {

/// Addresses that clients hand out for DNS resources.
[[nodiscard]] const net::IpNetwork& proxy_range(net::Family family);
/// Addresses of the stub resolver. For IPv4 it lies inside the proxy range.
[[nodiscard]] const net::IpNetwork& sentinel_range(net::Family family);

[[nodiscard]] inline bool is_sentinel_address(const net::IpAddress& address) {
    return sentinel_range(address.family()).contains(address);
}

/// Where systems ask everybody on a link for names of one label (RFC 4795): 224.0.0.252 and ff02::1:3.
[[nodiscard]] bool is_llmnr_group(const net::IpAddress& address);

}  // namespace culvert::dns
