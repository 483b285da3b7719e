#pragma once

#include <cstdint>
#include <vector>

#include "culvert/io/full_route.h"

namespace culvert::io {

/// What of the main table belongs into the link-scope table, in the order in which to add it.
///
/// The on-link routes, so that the local network stays reachable beside a default route through the tunnel, and with
/// each of them the main table's routes within it: who has 10.0.0.0/8 on his link and a router for 10.1.0.0/16 there
/// reaches 10.1.0.0/16 through that router, and what he blocks stays blocked.
/// A "network" wider than /8 is no local network but a default route in pieces, and is left to the tunnel.
/// IPv6 knows no scope of routes: there, a route without router is on-link.
/// Source: spec/io-and-performance.md sections 5.3 and 5.4.
[[nodiscard]] std::vector<FullRoute> link_scope_routes(const std::vector<FullRoute>& routes, unsigned tun_index);

/// Makes the link-scope table of both families exactly that, step by step: what stays is never taken away.
void sync_link_scope_table(Netlink& netlink, unsigned tun_index);

/// Removes every route of one of our tables.
void flush_table(Netlink& netlink, std::uint32_t table);

}  // namespace culvert::io
