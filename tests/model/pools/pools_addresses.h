#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"

/// Where everybody is in the world of pools, and how far apart.
namespace culvert::model::pools {

inline constexpr Duration kDelay = std::chrono::milliseconds{10};
inline constexpr std::uint16_t kUdpPort = 52625;
inline constexpr std::uint16_t kRelayPort = 3478;

inline net::IpAddress ip(const std::string& text) {
    return *net::IpAddress::parse(text);
}
inline const net::IpAddress kRelayAddress = ip("203.0.113.21");

}  // namespace culvert::model::pools
