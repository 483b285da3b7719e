#pragma once

#include <compare>
#include <set>
#include <string>

#include "culvert/base/bytes.h"
#include "culvert/io/netlink.h"

namespace culvert::io {

/// Prefix up to which a route counts as default route: it may come in two halves, so that it beats another.
inline constexpr unsigned kLongestDefaultRoute = 1;

/// What of the host's network matters to connections: with which addresses it can reach the world, and how. Two equal
/// snapshots mean that nothing happened that a connection would notice.
struct NetworkSnapshot {
    struct Address {
        unsigned interface_index;
        net::IpAddress address;

        friend auto operator<=>(const Address&, const Address&) = default;
    };

    /// Lasting addresses of the interfaces that have a default route; of all that work, if none has one. So neither a
    /// container that starts nor a temporary IPv6 address that changes is news.
    std::set<Address> addresses;
    /// Default routes of all tables but ours, as the kernel describes them.
    std::set<Bytes> default_routes;

    /// Whether there is no network.
    [[nodiscard]] bool empty() const { return addresses.empty(); }

    friend bool operator==(const NetworkSnapshot&, const NetworkSnapshot&) = default;
};

/// Leaves the tunnel out.
[[nodiscard]] std::expected<NetworkSnapshot, std::error_code> take_snapshot(Netlink& netlink, unsigned tun_index);

}  // namespace culvert::io
