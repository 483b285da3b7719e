#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "culvert/base/rng.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"

/// Addresses inside the tunnel. Source: spec/portal-protocol.md section 9.3.
namespace culvert::portal {

/// 100.64.0.0/11 and fd00:2021:1111::/107: what devices get.
[[nodiscard]] net::IpNetwork device_range(net::Family family);

/// 100.64.0.0/10 and fd00:2021:1111::/48: never a resource and never an upstream DNS server.
[[nodiscard]] net::IpNetwork reserved_range(net::Family family);

/// The first free address at or after a random one, else the first free one before it. nullopt if all 2^21 - 3 are
/// taken.
[[nodiscard]] std::optional<net::IpAddress> allocate_tunnel_address(
    net::Family family, Rng& rng, const std::function<bool(const net::IpAddress&)>& is_taken);

}  // namespace culvert::portal
