#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/rate_limiter.h"
#include "culvert/base/time.h"

/// Sizes and times of setting up names of DNS resources between client and gateway. Source: spec/tunnel.md sections 1.2
/// and 1.3, unless it is said otherwise.
namespace culvert::tunnel {

/// Packets to a name that wait for the gateway to know it; the oldest is overwritten.
inline constexpr std::size_t kNamePackets = 32;
/// And to all names. Ours to choose: 2.5 MB at the most.
inline constexpr std::size_t kAllNamesPackets = 2048;
/// How long a client waits before it tells a gateway again.
inline constexpr Duration kAssignedIpsInterval = std::chrono::seconds{2};
/// How often it does so without being driven by traffic, while packets wait. Ours to choose: until the gateway's own
/// look-up would have ended.
inline constexpr unsigned kAssignedIpsRepeats = 5;

/// How long a gateway looks for the addresses of a name.
inline constexpr Duration kResolutionTime = std::chrono::seconds{10};
/// How long it remembers what a resolver found that says nothing of lifetimes, and at most what one that does. Failures
/// are not remembered. The latter is ours to choose.
inline constexpr Duration kResolvedTime = std::chrono::seconds{30};
inline constexpr Duration kMaxResolvedTime = std::chrono::hours{1};
/// Names that it looks for at a time, and requests of one client that wait for them. The latter is ours to choose: a
/// session that starts again sets up all its names at once.
inline constexpr std::size_t kMaxResolutions = 1000;
inline constexpr std::size_t kMaxResolutionsPerClient = 256;
/// The same while half of all are taken, so that a few clients do not take the rest.
inline constexpr std::size_t kScarceResolutionsPerClient = 32;
/// How often a client may have one begin. Ours to choose: far more than people need, far less than what keeps a gateway
/// or its nameserver busy.
inline constexpr Rate kResolutionRate{.per_second = 50, .burst = 512};
/// Of each family. Proxy IPs stand for the first few; somebody with a name of his own may have thousands.
inline constexpr std::size_t kMaxAddressesPerFamily = 16;
/// Names that are remembered. Ours to choose.
inline constexpr std::size_t kMaxResolvedNames = 4096;

/// Proxy IPs of a name: four per family (spec/dns.md section 6).
inline constexpr std::size_t kMaxProxyIps = 8;

}  // namespace culvert::tunnel
