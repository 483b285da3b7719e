#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/rate_limiter.h"
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

/// How long a query may take, in all: on the network around us, and through the tunnel, which may have to be built
/// first.
inline constexpr Duration kHostTimeout = std::chrono::seconds{5};
inline constexpr Duration kTunnelTimeout = std::chrono::seconds{10};
/// How long the next of several resolvers waits for its turn.
inline constexpr Duration kServerTimeout = std::chrono::seconds{2};
/// How often a resolver that did not answer is tried beside one that does.
inline constexpr Duration kProbeInterval = std::chrono::seconds{30};

/// Queries in flight, on either way.
inline constexpr std::size_t kHostQueries = 1000;
inline constexpr std::size_t kTunnelQueries = 1024;
/// From one socket. A browser's start asks for a hundred names.
inline constexpr std::size_t kQueriesPerClient = 256;
/// Queries that wait until a resource's site is connected, over either transport. The oldest gives way.
inline constexpr std::size_t kQueriesPerSite = 128;

/// Source ports of our own queries inside the tunnel. Unlike those that most systems give their applications, by and
/// large (RFC 6335 section 6).
inline constexpr std::uint16_t kFirstTunnelPort = 49'152;
/// Answers that come later than that are nobody's any more.
inline constexpr Duration kLateAnswerTime = std::chrono::seconds{60};
inline constexpr std::size_t kLateAnswers = 1024;

// Of a gateway's resolver (spec/dns.md sections 10.4 and 10.5).

/// Largest UDP message that it sends.
inline constexpr std::size_t kMaxSiteUdpMessage = 1200;
/// Of the queries in flight, those of one client.
inline constexpr std::size_t kSiteQueriesPerClient = 256;
/// The same while half of all are in flight, so that a few clients do not take the rest.
inline constexpr std::size_t kScarceSiteQueriesPerClient = 32;
/// And how often it may ask: far more than people do, far less than what keeps a gateway or its nameserver busy.
inline constexpr Rate kSiteQueryRate{.per_second = 100, .burst = 1000};
/// How often its nameservers are compared, how long they have, and how many are asked at once, over UDP and TCP.
inline constexpr Duration kEvaluationInterval = std::chrono::seconds{60};
inline constexpr Duration kEvaluationTimeout = std::chrono::seconds{2};
inline constexpr std::size_t kEvaluatedServers = 10;

/// Answers that live shorter are not worth remembering, or mean to be asked for each time.
inline constexpr std::chrono::seconds kMinCachedTtl{5};
/// Nobody is better off with an answer of the day before.
inline constexpr std::chrono::seconds kMaxCachedTtl{std::chrono::hours{24}};

}  // namespace culvert::dns
