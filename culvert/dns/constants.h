#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

/// Sizes, times and ports of names inside the tunnel. Source: spec/dns.md sections 1 and 13.
namespace culvert::dns {

inline constexpr std::uint16_t kDnsPort = 53;
/// Where a gateway answers on its tunnel addresses. Fixed, never negotiated.
inline constexpr std::uint16_t kGatewayDnsPort = 53535;
inline constexpr std::uint16_t kLlmnrPort = 5355;

/// Of every record made here: the answer may change with the next resource that comes or goes.
inline constexpr std::uint32_t kLocalTtl = 1;

/// Largest UDP message written to the TUN device: 1280 of MTU, less 60 and 8 of headers.
inline constexpr std::size_t kMaxUdpMessage = 1212;
/// What everybody takes who does not say otherwise (RFC 1035 section 4.2.1).
inline constexpr std::size_t kClassicUdpMessage = 512;
inline constexpr std::size_t kMaxTcpMessage = 65'535;
/// Queries with everything that is known (padding, cookies, subnets) take a tenth of it. What waits is kept.
inline constexpr std::size_t kMaxQuery = 4096;

}  // namespace culvert::dns
