#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Sizes and times of the translation for DNS resources. Source: spec/tunnel.md sections 1.3 and 6.6, unless it is said
/// otherwise.
namespace culvert::nat {

/// How long a session may be idle, in both directions.
inline constexpr Duration kEchoIdleTime = std::chrono::seconds{120};
inline constexpr Duration kDatagramIdleTime = std::chrono::seconds{120};
/// A connection that is being opened or closed (RFC 5382 REQ-5: at least 4 min).
inline constexpr Duration kTransitoryTcpIdleTime = std::chrono::minutes{4};
/// RFC 5382 REQ-5: longer than TCP's own keep-alive.
inline constexpr Duration kEstablishedTcpIdleTime = std::chrono::hours{2} + std::chrono::minutes{4};
/// Times are noted no more exactly than that, in favour of the session: what is noted less often costs less.
inline constexpr Duration kTimeResolution = std::chrono::seconds{1};

/// How long what still comes for a session that is over is known to be that. Ours to choose: as long as a TCP
/// connection repeats itself.
inline constexpr Duration kLateTime = std::chrono::minutes{4};

/// Ports that are tried one after the other if the client's own is taken, before others are tried at random.
inline constexpr unsigned kAdjacentPorts = 16;
/// With no more sessions than half of the ports, so many random ones are all taken once in 2^64 times.
inline constexpr unsigned kRandomPorts = 64;

/// Names that a client has translated at a time; the one that was set up longest ago gives way. Ours to choose.
inline constexpr std::size_t kMaxNames = 4096;
/// So many give way at a time, since all sessions are looked through for theirs.
inline constexpr std::size_t kNamesThatGiveWay = 256;
/// Of one name: four of each family (spec/dns.md section 6).
inline constexpr std::size_t kMaxProxies = 8;

}  // namespace culvert::nat
