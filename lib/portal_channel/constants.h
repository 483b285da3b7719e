#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Source: spec/portal-protocol.md section 15.
namespace culvert::portal_channel {

/// A heartbeat is sent if nothing else was sent for so long.
inline constexpr Duration kHeartbeatInterval = std::chrono::seconds{30};

/// How long the portal may take to acknowledge a join.
inline constexpr Duration kJoinTimeout = std::chrono::seconds{5};

static_assert(kJoinTimeout < kHeartbeatInterval, "a join that fails is noticed before the first heartbeat");

/// Finding more messages than this waiting, send() drops them all.
inline constexpr std::size_t kMaxWaitingMessages = 32;

/// For connecting to any of the portal's addresses.
inline constexpr Duration kTcpConnectTimeout = std::chrono::seconds{5};

/// For the closing handshake; our own choice.
inline constexpr Duration kCloseTimeout = std::chrono::seconds{1};

}  // namespace culvert::portal_channel
