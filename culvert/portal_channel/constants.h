#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Source: spec/portal-protocol.md section 15, spec/newer-dialect.md section 18.
namespace culvert::portal_channel {

/// A heartbeat is sent this often, whatever else is sent: later generations do so because a device that always has
/// something to say would never notice that nobody listens (spec/newer-dialect.md section 4). Portals of all
/// generations answer it.
inline constexpr Duration kHeartbeatInterval = std::chrono::seconds{10};

/// With more heartbeats unanswered when the next is due, the connection is dead. Same source.
inline constexpr unsigned kMaxUnansweredHeartbeats = 3;

/// How long the portal may take to acknowledge a join.
inline constexpr Duration kJoinTimeout = std::chrono::seconds{5};

/// A device that was never joined tries to connect so often after the first time, at this distance
/// (spec/newer-dialect.md section 3.2).
inline constexpr Duration kFirstConnectDelay = std::chrono::seconds{1};
inline constexpr unsigned kFirstConnectRetries = 15;

/// Later the delays before another attempt grow from the first to the second, by half each time; to each comes a random
/// part of up to as much again. Same source.
inline constexpr Duration kFirstRetryInterval = std::chrono::milliseconds{500};
inline constexpr Duration kMaxRetryInterval = std::chrono::seconds{60};

/// The longest that a portal may have a device wait (Retry-After), and the shortest: it may say 0, again and again.
/// Both our own choice: a slip of an operator must not take a device away for days, nor have it knock without a pause.
inline constexpr Duration kMaxRetryAfter = std::chrono::hours{1};
inline constexpr Duration kMinRetryAfter = std::chrono::milliseconds{100};

/// When a portal that had only the path of the older dialect is asked for the newer one again, at the next connection.
/// Our own choice: an hour is nothing in the life of a portal, and one more request an hour is nothing to it.
inline constexpr Duration kAskNewerAgainAfter = std::chrono::hours{1};

/// For how long, in all, gateways and relays wait for their portal (spec/newer-dialect.md section 3.2); then they end,
/// and what supervises them starts them again. A client's user may give it a time.
inline constexpr Duration kMaxPartitionTime = std::chrono::hours{24};

/// What of a text of the portal's choosing is shown to people. Our own choice.
inline constexpr std::size_t kMaxShownText = 200;

/// Candidates of one connection, and connections, of which the portal will hear once it is back. Far more than there
/// ever are; our own choice.
inline constexpr std::size_t kMaxHeldCandidates = 128;
inline constexpr std::size_t kMaxHeldConnections = 16'384;

/// Among so many of the newest messages that wait to be written a repeated one is looked for. Our own choice: whatever
/// is repeated comes soon again, and the search must not cost more than the message.
inline constexpr std::size_t kDuplicateLookBack = 64;

/// While joined nothing is dropped, because the other side acts on what it was not told; but a portal that leaves so
/// many messages unread is as good as dead, and the connection is made anew. Our own choice: enough for ten messages
/// about each of some thousand peers, yet some ten megabytes at most.
inline constexpr std::size_t kMaxUnreadMessages = 32'768;

/// The kernel gives a connection up if what it sent is not acknowledged for so long. Heartbeats notice as well, but
/// later, and not while closing. Our own choice.
inline constexpr Duration kTcpUserTimeout = std::chrono::seconds{30};

/// How much the kernel takes before it has sent it. Little, so that heartbeats overtake what waits.
inline constexpr int kTcpUnsentBytes = 65'536;

/// For connecting to any of the portal's addresses.
inline constexpr Duration kTcpConnectTimeout = std::chrono::seconds{5};

/// After so long an attempt to connect is joined by one at the next address (RFC 8305 section 8).
inline constexpr Duration kConnectionAttemptDelay = std::chrono::milliseconds{250};

/// Addresses of the portal that are tried at once. Our own choice: ten start within half the time there is.
inline constexpr std::size_t kMaxDialledAddresses = 10;

/// For finding out the portal's addresses, and how long those of one IP family wait for the other's. Our own choice:
/// RFC 8305 has 50 ms for the latter, where the slower one may still join in; here it cannot.
inline constexpr Duration kLookUpTime = std::chrono::seconds{5};
inline constexpr Duration kOtherFamilyWait = std::chrono::seconds{1};

/// For TCP, TLS and the upgrade together (spec/newer-dialect.md section 18).
inline constexpr Duration kDialTimeout = std::chrono::seconds{15};

/// For the closing handshake; our own choice.
inline constexpr Duration kCloseTimeout = std::chrono::seconds{1};

}  // namespace culvert::portal_channel
