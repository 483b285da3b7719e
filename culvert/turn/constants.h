#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

/// Constants of the TURN client (spec/connectivity.md section 12) and of what it shares with the server.
namespace culvert::turn {

/// Relays send from this port (RFC 8656 section 18), and clients take nothing else from it for TURN
/// (spec/connectivity.md section 2.4).
inline constexpr std::uint16_t kRelayPort = 3478;

/// Of ChannelData (RFC 8656 section 12.4): 16-bit channel, 16-bit length.
inline constexpr std::size_t kChannelDataHeaderSize = 4;

/// Channel numbers that are given out (RFC 8656 section 12).
inline constexpr std::uint16_t kFirstChannel = 0x4000;
inline constexpr std::uint16_t kLastChannel = 0x4fff;
inline constexpr std::size_t kChannelCount = kLastChannel - kFirstChannel + 1;

/// How long a channel lives after it was created or bound, when it is bound again, and how much longer its number is
/// reserved for its peer.
inline constexpr Duration kChannelLifetime = std::chrono::minutes{10};
inline constexpr Duration kChannelRefreshAfter = std::chrono::minutes{5};
inline constexpr Duration kChannelCoolDown = std::chrono::minutes{5};

static_assert(kChannelRefreshAfter < kChannelLifetime, "a channel in use does not expire");

/// Requests are repeated after 1, 1.5, 2.25, ... seconds (turn/retransmission_timer.h) and given up at the first
/// trigger after 8 seconds.
inline constexpr Duration kFirstRetransmission = std::chrono::seconds{1};
inline constexpr Duration kGiveUpAfter = std::chrono::seconds{8};
/// A liveness probe is given up at its first trigger.
inline constexpr Duration kProbeGiveUpAfter = std::chrono::seconds{1};

/// Unconfirmed NAT bindings live about 30 s; a lost one costs the allocation.
inline constexpr Duration kKeepAliveInterval = std::chrono::seconds{25};

static_assert(kKeepAliveInterval < std::chrono::seconds{30}, "a NAT binding does not expire");
static_assert(kChannelRefreshAfter + kGiveUpAfter < kChannelLifetime, "a refresh may need all its repetitions");

/// An allocation is refreshed after half of its lifetime, and after half of what is left if the relay refuses that, but
/// not more often than this.
inline constexpr Duration kShortestRefreshPause = std::chrono::seconds{1};
/// Relays grant at most an hour; the limit keeps arithmetic with whatever one sends in range.
inline constexpr std::chrono::seconds kLongestLifetime = std::chrono::hours{24};

/// How long a client waits until it asks a relay again that has refused an allocation: at first, and after doubling it
/// each time. Ours to choose: the reference waits for the portal to list the relay anew.
inline constexpr Duration kFirstAllocateRetry = std::chrono::seconds{10};
inline constexpr Duration kLongestAllocateRetry = std::chrono::minutes{5};

/// Channel binds that wait for an allocation; the oldest is dropped.
inline constexpr std::size_t kMaxBufferedBinds = 100;

/// How long a client leaves a peer alone that a relay forbids (403): a relay's rules hold until it restarts, which ends
/// the allocation as well. Connections try every address of the other side, private ones too, so that is nothing
/// unusual.
inline constexpr std::chrono::minutes kForbiddenPeerPause{10};
/// And one whose channel was refused for another reason, which may pass.
inline constexpr std::chrono::seconds kRefusedPeerPause{3};
/// Of how many refused peers a client keeps a list. Without one it would ask for a channel with every packet to them.
inline constexpr std::size_t kMaxRefusedPeers = 256;
/// How often one request is repeated with another nonce, and an allocation looked for that relay and client disagree
/// about, until the client waits for a better moment. An honest relay needs one or two.
inline constexpr unsigned kMaxChallenges = 16;
inline constexpr unsigned kMaxMismatches = 16;

}  // namespace culvert::turn
