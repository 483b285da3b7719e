#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Source: spec/portal-protocol.md section 15.
namespace culvert::portal_channel {

/// A heartbeat is sent this often, whatever else is sent: later generations do so because a device that always has
/// something to say would never notice that nobody listens (spec/newer-dialect.md section 4). Portals of all
/// generations answer it.
inline constexpr Duration kHeartbeatInterval = std::chrono::seconds{10};

/// With so many heartbeats unanswered when the next is due, the connection is dead. Same source.
inline constexpr unsigned kMaxUnansweredHeartbeats = 3;

/// How long the portal may take to acknowledge a join.
inline constexpr Duration kJoinTimeout = std::chrono::seconds{5};

static_assert(kJoinTimeout < kHeartbeatInterval, "a join that fails is noticed before the first heartbeat");

/// The delays before another attempt to connect grow from the first to the second, by half each time (section 4).
inline constexpr Duration kFirstRetryInterval = std::chrono::milliseconds{500};
inline constexpr Duration kMaxRetryInterval = std::chrono::seconds{60};

/// How long gateways and relays go on without their portal (spec/session-and-apps.md section 1.7); then they end, and
/// what supervises them starts them again. A client's user may give it a time.
inline constexpr Duration kMaxPartitionTime = std::chrono::minutes{15};

/// What of a text of the portal's choosing is shown to people. Our own choice.
inline constexpr std::size_t kMaxShownText = 200;

/// Finding more messages than this waiting for a join, send() drops them all: they speak of a state that is gone.
inline constexpr std::size_t kMaxWaitingMessages = 32;

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

/// For TCP, TLS and the upgrade together. Our own choice.
inline constexpr Duration kDialTimeout = std::chrono::seconds{15};

/// For the closing handshake; our own choice.
inline constexpr Duration kCloseTimeout = std::chrono::seconds{1};

}  // namespace culvert::portal_channel
