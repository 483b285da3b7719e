#pragma once

#include <cstdint>
#include <optional>

#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"

/// Addresses inside the tunnel. Source: spec/portal-protocol.md section 9.3.
namespace culvert::portal {

/// What of the devices' range is given out, as distances from its start; the address after the last one is the
/// broadcast address.
inline constexpr std::uint32_t kFirstTunnelOffset = 2;
inline constexpr std::uint32_t kLastTunnelOffset = (1U << 21U) - 2;

/// 100.64.0.0/11 and fd00:2021:1111::/107: what devices get.
[[nodiscard]] net::IpNetwork device_range(net::Family family);

/// 100.64.0.0/10 and fd00:2021:1111::/48: never a resource and never an upstream DNS server.
[[nodiscard]] net::IpNetwork reserved_range(net::Family family);

[[nodiscard]] net::IpAddress tunnel_address(net::Family family, std::uint32_t offset);

/// nullopt if devices are never given this address.
[[nodiscard]] std::optional<std::uint32_t> tunnel_offset(const net::IpAddress& address);

}  // namespace culvert::portal
