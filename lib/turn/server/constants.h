#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Numbers of the TURN server alone (spec/relay.md sections 2.2 and 5.2); those it shares with the client are in
/// culvert/turn/constants.h.
namespace culvert::turn {

inline constexpr std::string_view kRelayRealm = "firezone";
/// SOFTWARE of every response of a build that does not know its revision.
inline constexpr std::string_view kRelaySoftware = "firezone-relay; rev=xxxx";

inline constexpr std::uint16_t kDefaultLowestPort = 49152;
inline constexpr std::uint16_t kDefaultHighestPort = 65535;

inline constexpr std::chrono::seconds kDefaultAllocationLifetime{600};
inline constexpr std::chrono::seconds kMaxAllocationLifetime{3600};

/// How many requests may carry one nonce.
inline constexpr std::uint32_t kNonceBudget = 10'000;
/// How many nonces are remembered. Every 401 makes one, so strangers can make them too; beyond this the oldest goes and
/// costs its owner one extra round trip (438).
inline constexpr std::size_t kMaxNonces = 65'536;

/// How many words of the portal about single users are kept, of each kind: more devices than one relay serves. What
/// ends first goes first.
inline constexpr std::size_t kMaxUserRules = 65'536;

/// How long a port that could not be opened is left alone: another process of the host may hold it.
inline constexpr std::chrono::minutes kBlockedPortPause{10};
/// How many ports one Allocate may try. If so many fail in a row it is not the ports: the host has no descriptors left.
inline constexpr unsigned kMaxPortAttempts = 8;

}  // namespace culvert::turn
