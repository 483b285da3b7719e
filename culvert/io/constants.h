#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"
#include "culvert/packet/constants.h"

/// Numbers that other programs on the host can see, and the event loop's times and shares. Source:
/// spec/io-and-performance.md sections 3 to 5, 13.9, unless said otherwise.
namespace culvert::io {

/// Mark of every socket whose traffic must not enter the tunnel; the policy rules exempt it.
inline constexpr std::uint32_t kSocketMark = 0xfd002021;

/// Local UDP port tried first; firewall rules written for it keep fitting.
inline constexpr std::uint16_t kPreferredPort = 52625;

inline constexpr unsigned kTunMtu = packet::kMaxIpPacket;
inline constexpr const char* kTunName = "tun-firezone";

/// Our routing tables, and the priorities of the rules that select them: specific tunnel routes beat the local network,
/// the local network beats a default route through the tunnel.
inline constexpr std::uint32_t kRouteTable = 0x2021fd00;
inline constexpr std::uint32_t kLinkScopeTable = 0x2021fd01;
inline constexpr std::uint32_t kInternetTable = 0x2021fd02;

struct RoutingTable {
    std::uint32_t number;
    std::uint32_t rule_priority;
};
/// All that are ours: each gets its rule, is flushed at the end, and is not the host's own network.
inline constexpr std::array kRoutingTables{RoutingTable{.number = kRouteTable, .rule_priority = 100},
                                           RoutingTable{.number = kLinkScopeTable, .rule_priority = 200},
                                           RoutingTable{.number = kInternetTable, .rule_priority = 300}};

[[nodiscard]] constexpr bool is_own_table(std::uint32_t number) {
    return std::ranges::any_of(kRoutingTables, [&](const auto& table) { return table.number == number; });
}

/// Entries of the TUN ring. With offloads one holds up to 64 kB of TCP, but only a single datagram of an application
/// that sends them one by one: 4000 are 85 ms of 450 Mbit/s, longer than we wait for a CPU. 1000 were measured to be
/// too few (docs/performance.md); what TCP queues here it limits by itself.
inline constexpr unsigned kTunQueueLengthWithOffload = 4000;
inline constexpr unsigned kTunQueueLengthPlain = 10'000;

/// 10 Gbit/s for 10 ms, and the same for about 3 ms.
inline constexpr std::size_t kReceiveBufferSize = 16 * 1024 * 1024;
inline constexpr std::size_t kSendBufferSize = 4 * 1024 * 1024;

// The shard's event loop. Ours to choose.

/// Budgets per turn, so that both directions and the timers progress at least every millisecond or so.
inline constexpr int kTunReadsPerTurn = 64;
inline constexpr std::size_t kTunBytesPerTurn = 256 * 1024;
/// Under load, deadlines are recomputed this often at the most; before sleeping always.
inline constexpr Duration kTimerResolution = std::chrono::milliseconds{1};
/// A state machine may ask to be called again at once several times (ICE pacing is zero), but not for ever.
inline constexpr int kTimeoutsPerTurn = 1000;
/// For what is still to be sent at the end.
inline constexpr Duration kShutdownFlush = std::chrono::seconds{1};
/// Between two attempts to open sockets.
inline constexpr Duration kBindingInterval = std::chrono::seconds{1};

// How soon to do again what others make us do (io/pace.h). Ours to choose.

inline constexpr Duration kFirstPause = std::chrono::milliseconds{250};
inline constexpr Duration kLongestPause = std::chrono::seconds{30};
/// After so long without trouble all is forgotten.
inline constexpr Duration kPeace = std::chrono::minutes{2};

}  // namespace culvert::io
