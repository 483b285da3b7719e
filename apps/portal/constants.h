#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Timers and limits of the server around the control plane. Those of the control plane itself: portal/constants.h.
namespace culvert::portal_server {

// --- Connections of devices ---

/// What may wait for all devices of one owner, and for all there are.
inline constexpr std::size_t kMaxUnreadOfOwner = std::size_t{64} << 20U;
inline constexpr std::size_t kMaxUnread = std::size_t{256} << 20U;
/// From where on an owner's devices that have not read all are read slowly, and new ones told to come back later, so
/// that a fleet that comes back has the time to read what each of its devices has asked for.
inline constexpr std::size_t kCrowdedUnread = kMaxUnreadOfOwner / 2;

// --- Database ---

/// Between two attempts to write, for readiness. While the database is locked, one costs all devices as long as the
/// portal waits for a lock.
inline constexpr std::chrono::seconds kTryWriteInterval{1};
/// How long to wait for another process that writes, unless told otherwise.
inline constexpr std::chrono::milliseconds kLockTimeout{2000};
/// All devices wait while the server waits for the database. What fails by that is asked for again by the device.
inline constexpr std::chrono::milliseconds kServingLockTimeout{100};
/// The journal grows by four megabytes before it starts over, and the file behind it by what is in it; with less than
/// this left, one of the next hundred logins fails.
inline constexpr std::uint64_t kSpaceNeeded = 8U << 20U;

/// Two weeks: whoever is on holiday is back, and a new token is on its way to the device.
inline constexpr std::chrono::days kExpiryNotice{14};
/// Between two warnings of one token.
inline constexpr std::chrono::days kExpiryRepeat{1};

}  // namespace culvert::portal_server
