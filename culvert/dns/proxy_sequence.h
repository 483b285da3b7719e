#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "culvert/net/ip_address.h"

/// The order in which proxy addresses are given out: in groups of four, each a name's addresses of one family
/// (spec/dns.md section 6).
namespace culvert::dns {

inline constexpr std::uint32_t kGroupSize = 4;

using ProxyGroup = std::array<net::IpAddress, kGroupSize>;

/// 524,223 of IPv4, whose network, broadcast and sentinel addresses are left out, and 524,288 of IPv6.
[[nodiscard]] std::uint32_t group_count(net::Family family);

/// Requires group < group_count(family).
[[nodiscard]] ProxyGroup addresses_of_group(net::Family family, std::uint32_t group);

/// The group that `address` is in; nullopt for what is never given out.
[[nodiscard]] std::optional<std::uint32_t> group_of(const net::IpAddress& address);

}  // namespace culvert::dns
