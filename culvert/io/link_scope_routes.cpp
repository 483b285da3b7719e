#include "culvert/io/link_scope_routes.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "culvert/io/constants.h"
#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

constexpr unsigned kWidestLocalNetwork = 8;

bool is_usable(const FullRoute& route, unsigned tun_index) {
    return route.table == RT_TABLE_MAIN && route.interface_index != tun_index &&
           (route.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0;
}

bool is_on_link(const FullRoute& route) {
    if (route.type != RTN_UNICAST || route.has_gateway || route.destination.prefix() < kWidestLocalNetwork) {
        return false;
    }
    // Link-local addresses name their interface, which is enough to keep them out of the tunnel.
    return route.destination.address().is_v4()
               ? route.scope == RT_SCOPE_LINK
               : route.interface_index != 0 && !route.destination.address().is_link_local() &&
                     !route.destination.address().is_multicast();
}

bool contains_copy(const std::vector<FullRoute>& routes, const FullRoute& route) {
    return std::ranges::any_of(routes, [&](const FullRoute& other) { return other.is_copy_of(route); });
}

void sync(Netlink& netlink, const std::vector<FullRoute>& routes, unsigned tun_index) {
    std::vector<FullRoute> existing;
    std::ranges::copy_if(routes, std::back_inserter(existing),
                         [](const FullRoute& route) { return route.table == kLinkScopeTable; });
    const auto wanted = link_scope_routes(routes, tun_index);
    for (const auto& route : existing) {
        if (!contains_copy(wanted, route)) {
            if (const auto error = delete_route(netlink, route)) {
                kLog.debug("Could not delete a copied route", log::field("error", error.message()));
            }
        }
    }
    for (const auto& route : wanted) {
        if (contains_copy(existing, route)) {
            continue;
        }
        const auto error = add_route(netlink, route, kLinkScopeTable);
        if (error && error != std::errc::file_exists) {
            kLog.debug("Could not copy a route of the local network", log::field("error", error.message()));
        }
    }
}

}  // namespace

std::vector<FullRoute> link_scope_routes(const std::vector<FullRoute>& routes, unsigned tun_index) {
    std::vector<FullRoute> found;
    for (const auto& route : routes) {
        if (is_usable(route, tun_index) && is_on_link(route)) {
            found.push_back(route);
        }
    }
    // Routers must be reachable by the time that a route through them is added.
    const auto on_link = found.size();
    for (const auto& route : routes) {
        if (!is_usable(route, tun_index) || is_on_link(route)) {
            continue;
        }
        const bool is_within =
            std::any_of(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(on_link),
                        [&](const auto& link) { return link.destination.contains(route.destination); });
        if (is_within) {
            found.push_back(route);
        }
    }
    return found;
}

void sync_link_scope_table(Netlink& netlink, unsigned tun_index) {
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto routes = full_routes(netlink, family);
        if (!routes) {
            kLog.debug("Could not read the routing tables", log::field("error", routes.error().message()));
            continue;
        }
        sync(netlink, *routes, tun_index);
    }
}

void flush_table(Netlink& netlink, std::uint32_t table) {
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto routes = full_routes(netlink, family);
        if (!routes) {
            continue;
        }
        for (const auto& route : *routes) {
            if (route.table == table) {
                static_cast<void>(delete_route(netlink, route));
            }
        }
    }
}

}  // namespace culvert::io
