#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

/// Limits of asking on the host's network. Source: spec/dns.md sections 10.1, 13 and 14.2, unless it is said otherwise.
namespace culvert::resolver {

/// Queries that are open at a time: each has a socket. The stub itself keeps to 1000 names, but asks a second server
/// for one that is slow. Ours to choose.
inline constexpr std::size_t kMaxHostQueries = 1024;
/// Messages with the id of a query that are passed on over UDP: whoever guesses ids has had luck once or twice, and
/// more is a server that floods. Ours to choose.
inline constexpr unsigned kMaxResponses = 16;
/// Queries over HTTPS that are open at a time.
inline constexpr std::size_t kMaxDohQueries = 1024;

/// Names that a gateway looks up at a time, and how long one may take.
inline constexpr std::size_t kMaxLookUps = 1000;
inline constexpr Duration kLookUpTime = std::chrono::seconds{10};
/// Addresses of a family that are taken from an answer: proxy addresses are mapped to four. Ours to choose.
inline constexpr std::size_t kMaxAddressesPerFamily = 32;
/// How long a result holds at least, also if nobody says how long (the hosts file), and at most.
inline constexpr Duration kMinLifetime = std::chrono::seconds{5};
inline constexpr Duration kMaxLifetime = std::chrono::hours{24};

/// Resolvers over HTTPS of which it is remembered that they were said not to answer; an account has a handful.
inline constexpr std::size_t kMaxFailingResolvers = 64;
/// The only port of resolvers over HTTPS.
inline constexpr std::uint16_t kDohPort = 443;
/// How long the look-up of such a server's own name may take, and how long each resolver that is asked for it has.
inline constexpr Duration kDohLookUpTime = std::chrono::seconds{5};
inline constexpr std::chrono::milliseconds kDohLookUpAttempt{1000};
/// Servers that are known at a time.
inline constexpr std::size_t kMaxDohServers = 10;
/// How long a query may take with everything; whoever asks gives up at the same time.
inline constexpr std::chrono::milliseconds kDohQueryTime{5000};
/// A connection on which the server acknowledges nothing for so long is dead. Ours to choose: other servers are asked
/// meanwhile.
inline constexpr std::chrono::milliseconds kDohUserTimeout{3000};
/// A connection that had nothing to do for so long is not used again: a NAT on the way may have forgotten it.
inline constexpr std::chrono::seconds kDohIdleTime{60};
/// To one server. HTTP/2 needs one, HTTP/1.1 answers one query at a time. Ours to choose.
inline constexpr long kDohConnections = 4;
/// All header lines of one answer. Ours to choose.
inline constexpr std::size_t kMaxDohHeaders = 16 * 1024;

}  // namespace culvert::resolver
