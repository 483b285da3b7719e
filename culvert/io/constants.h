#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

/// Numbers that other programs on the host can see. Source: spec/io-and-performance.md sections 3 to 5, 13.9.
namespace culvert::io {

/// Mark of every socket whose traffic must not enter the tunnel; the policy rules exempt it.
inline constexpr std::uint32_t kSocketMark = 0xfd002021;

/// Local UDP port tried first; firewall rules written for it keep fitting.
inline constexpr std::uint16_t kPreferredPort = 52625;

inline constexpr unsigned kTunMtu = 1280;
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

}  // namespace culvert::io
