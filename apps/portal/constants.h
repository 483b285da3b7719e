#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/rate_limiter.h"

/// Timers and limits of the server around the control plane. Those of the control plane itself: portal/constants.h.
namespace culvert::portal_server {

// --- Requests ---

/// How late a wrong token is answered when many came from the same place.
inline constexpr std::chrono::seconds kWrongTokenDelay{2};

/// The length of a prefix of IPv6 addresses that is one place: one customer has as many of them as he wants.
inline constexpr std::uint8_t kV6PlaceLength = 48;
/// Connections that have not yet said what they want, of one place and in all.
inline constexpr std::size_t kMaxWaitingOfPlace = 128;
inline constexpr std::size_t kMaxWaiting = 2048;
/// Upgrades of one place without and with a token that the portal has signed.
inline constexpr Rate kUpgrades{50, 500};
inline constexpr Rate kSignedUpgrades{500, 5000};
/// Beyond that the answer comes late.
inline constexpr Rate kWrongTokens{1, 20};

// --- Connections of devices ---

/// What may wait for a device that is slow to read. An `init` with a thousand resources is a fraction of it.
inline constexpr std::size_t kMaxQueuedBytes = std::size_t{16} << 20U;
inline constexpr std::size_t kMaxQueuedFrames = 4096;
/// From where on nothing is sent on others' behalf and nothing is read either, and where that ends: whoever does not
/// read what he is sent cannot have more of it made.
inline constexpr std::size_t kCongestedBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kCongestedFrames = 1024;
inline constexpr std::size_t kDrainedBytes = kCongestedBytes / 4;
inline constexpr std::size_t kDrainedFrames = kCongestedFrames / 4;

/// What waits for a device that does not read waits here, where it is counted, rather than in the kernel.
inline constexpr int kMaxUnsentInKernel = 128 * 1024;

/// What may wait for all devices of one owner, and for all there are.
inline constexpr std::size_t kMaxUnreadOfOwner = std::size_t{64} << 20U;
inline constexpr std::size_t kMaxUnread = std::size_t{256} << 20U;
/// From where on an owner's devices that have not read all are read slowly, and new ones told to come back later, so
/// that a fleet that comes back has the time to read what each of its devices has asked for.
inline constexpr std::size_t kCrowdedUnread = kMaxUnreadOfOwner / 2;

/// Read at once, so that memory is taken up for what a device has sent rather than for what it has announced.
inline constexpr std::size_t kReadAtOnce = 4096;
/// What a connection keeps for what it will read next. Hardly any frame is longer.
inline constexpr std::size_t kKeptInput = std::size_t{16} << 10U;

/// For one frame to leave. TCP itself waits for ever for a device that answers but reads nothing.
inline constexpr std::chrono::seconds kWriteTimeout{60};
/// WebSocket Pings between two frames. Devices send none; each is answered below the frames that are counted.
inline constexpr std::size_t kMaxPings = 100;

/// For what is queued and the closing handshake, once the portal has decided to part.
inline constexpr std::chrono::seconds kCloseTimeout{2};

/// Characters of a device's User-Agent that count. Firezone's have less than a hundred.
inline constexpr std::size_t kMaxUserAgent = 512;
/// Before a device that logs in too often may try again (spec/newer-dialect.md section 3.1): the first of them.
inline constexpr std::chrono::seconds kLoginPause{1};
/// Before a device that was told that too many connect at once may try again: the first of them.
inline constexpr std::chrono::seconds kCrowdPause{2};
/// At the end: how often to look whether all connections have gone.
inline constexpr std::chrono::milliseconds kGoneInterval{20};

// --- Administrators ---

/// Passwords that wait to be looked at: a second's work.
inline constexpr std::size_t kMaxWaitingPasswords = 8;

/// Pages are some hundred files and a few megabytes.
inline constexpr std::size_t kMaxWebFiles = 4096;
inline constexpr std::size_t kMaxWebBytes = std::size_t{64} << 20U;

/// Pages that listen at a time.
inline constexpr std::size_t kMaxEventStreams = 64;
/// What is gathered before it is told: little for a person, much for a thousand devices that come back.
inline constexpr std::chrono::milliseconds kEventDelay{250};
inline constexpr std::size_t kMaxPendingEvents = 100;
/// How often it is looked whether a listener is there, and still signed in.
inline constexpr std::chrono::seconds kEventHeartbeat{15};
inline constexpr std::chrono::seconds kEventWriteTimeout{10};
/// What may wait for one that does not read.
inline constexpr std::size_t kMaxUnreadEvents = 64 * 1024;

// --- The operators' endpoint ---

/// A portal that does not get to a question within this time is in trouble: for the database it waits
/// kServingLockTimeout.
inline constexpr std::chrono::seconds kAnswerTime{2};
/// How soon the endpoint notices that it is to stop while it waits.
inline constexpr std::chrono::milliseconds kWaitSlice{20};

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

/// How often to look for tokens that are about to expire.
inline constexpr std::chrono::hours kExpiryInterval{1};
/// Two weeks: whoever is on holiday is back, and a new token is on its way to the device.
inline constexpr std::chrono::days kExpiryNotice{14};
/// Between two warnings of one token.
inline constexpr std::chrono::days kExpiryRepeat{1};

}  // namespace culvert::portal_server
