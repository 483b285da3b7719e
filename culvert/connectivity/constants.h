#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Times and limits of the node. Source: spec/connectivity.md section 12 unless said otherwise.
namespace culvert::connectivity {

/// Own addresses that are candidates where no relay tells us which of them leads out. A host with more has them for
/// containers and the like.
inline constexpr std::size_t kMaxHostCandidates = 8;

inline constexpr Duration kIdleAfter = std::chrono::seconds{20};
inline constexpr Duration kCandidateTimeout = std::chrono::seconds{10};
inline constexpr Duration kDisconnectGrace = std::chrono::seconds{2};
/// A connection that has nothing to check for so long is given up, although it may lack candidates on one side only.
/// Longer than checks take to fail. Ours to choose: the reference waits for ever, and meanwhile new flows reuse it.
inline constexpr Duration kPathlessTimeout = std::chrono::seconds{20};
/// Between two handshakes that a client starts without being asked by traffic or timers.
inline constexpr Duration kProactiveHandshakeInterval = std::chrono::seconds{20};
/// After the host's network has changed, each new path is shown to the peer by a handshake for so long. Ours to choose.
inline constexpr Duration kMovingTime = std::chrono::seconds{5};

/// A connection that goes by a relay looks for a direct path again so long after it took to the relay, then after twice
/// as long each time, up to the longest pause. Ours to choose: the reference never does.
inline constexpr Duration kFirstDirectRetry = std::chrono::seconds{20};
inline constexpr Duration kLongestDirectRetry = std::chrono::minutes{10};
/// A relay that has stopped answering is tried again so long afterwards, then after twice as long each time, up to the
/// longest pause. Ours to choose.
inline constexpr Duration kFirstRelayRetry = std::chrono::seconds{10};
inline constexpr Duration kLongestRelayRetry = std::chrono::minutes{10};
/// A relay is as good as the nearest one if its round trip is longer by no more than this, or by a quarter. Ours to
/// choose, so that relays beside each other share the load.
inline constexpr Duration kRelayDistanceTolerance = std::chrono::milliseconds{5};
inline constexpr Duration kHandshakeWindow = std::chrono::seconds{1};
inline constexpr Duration kRecentlyDisconnectedMemory = std::chrono::seconds{5};

/// While there is no path: WireGuard packets, and on a client also IP packets (section 7.6).
inline constexpr std::size_t kMaxBufferedPackets = 128;

/// Addresses of one peer that get a channel within 15 minutes, so that 64 hostile peers do not yet use up a relay. An
/// honest peer needs one for each of its reflexive and relayed addresses, and for those it roams to; ours to choose.
inline constexpr std::size_t kMaxChannelsPerConnection = 64;

/// Candidates that a peer may add at once, and how soon it may add one more after that: a message of the portal holds
/// thousands, and each takes so long that nobody else's packets would move for seconds. An honest peer has a dozen, and
/// repeats do not count. Ours to choose.
inline constexpr int kCandidateBurst = 256;
inline constexpr Duration kCandidateInterval = std::chrono::milliseconds{50};

/// Connections with one and the same peer key that answer an initiation, if nothing tells which is meant. Each costs
/// three Diffie-Hellmans.
inline constexpr std::size_t kMaxAnswersToInitiation = 4;

/// Backstops for a caller that does not drain; ours to choose.
inline constexpr std::size_t kMaxTransmits = 8192;
inline constexpr std::size_t kMaxEvents = 65536;
inline constexpr std::size_t kMaxRecentlyDisconnected = 4096;

}  // namespace culvert::connectivity
