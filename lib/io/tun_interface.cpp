#include "culvert/io/tun_interface.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <utility>

#include "culvert/io/constants.h"
#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

/// IPv6 is switched off on many hosts; that is not worth a warning for each route.
bool is_family_unavailable(std::error_code error) {
    return error == std::errc::operation_not_supported || error == std::errc::permission_denied;
}

bool is_already_gone(std::error_code error) {
    return error == std::errc::no_such_process || error == std::errc::no_such_file_or_directory;
}

}  // namespace

TunInterface::TunInterface(Netlink netlink, std::string name, unsigned index)
    : netlink_{std::move(netlink)}, name_{std::move(name)}, index_{index} {}

std::expected<TunInterface, std::string> TunInterface::attach(const std::string& name, bool has_tun_offload) {
    auto netlink = Netlink::open();
    if (!netlink) {
        return std::unexpected{"cannot open a netlink socket: " + netlink.error().message() + "."};
    }
    const auto index = netlink->interface_index(name);
    if (!index) {
        return std::unexpected{"cannot find the interface \"" + name + "\": " + index.error().message() + "."};
    }
    TunInterface interface{std::move(*netlink), name, *index};
    for (const auto table : {kRouteTable, kLinkScopeTable, kInternetTable}) {
        interface.flush_table(table);
    }
    const auto queue_length = has_tun_offload ? kTunQueueLengthWithOffload : kTunQueueLengthPlain;
    if (const auto error = interface.netlink_.set_queue_length(*index, queue_length)) {
        kLog.warn("Could not set the queue length of the TUN interface", log::field("error", error.message()));
    }
    if (const auto error = interface.netlink_.disable_link_local_generation(*index)) {
        kLog.debug("Could not disable link-local addresses on the TUN interface", log::field("error", error.message()));
    }
    return interface;
}

std::expected<void, std::string> TunInterface::set_addresses(const net::IpAddress& v4, const net::IpAddress& v6) {
    const std::array wanted{InterfaceAddress{v4, v4.bit_length()}, InterfaceAddress{v6, v6.bit_length()}};
    if (const auto existing = netlink_.addresses(index_)) {
        for (const auto& address : *existing) {
            // Routes may have changed and nothing else: taking an address away for a moment would lose packets.
            if (std::ranges::find(wanted, address) != wanted.end()) {
                continue;
            }
            if (const auto error = netlink_.delete_address(index_, address)) {
                kLog.debug("Could not delete an old address", log::field("error", error.message()));
            }
        }
    }
    if (const auto error = netlink_.set_mtu(index_, kTunMtu)) {
        kLog.warn("Could not set the MTU of the TUN interface", log::field("error", error.message()));
    }
    const auto v4_error = netlink_.add_address(index_, wanted[0]);
    const auto v6_error = netlink_.add_address(index_, wanted[1]);
    if (v4_error && v6_error) {
        return std::unexpected{"cannot set an address on \"" + name_ + "\": IPv4: " + v4_error.message() +
                               ", IPv6: " + v6_error.message() + "."};
    }
    if (const auto error = netlink_.set_up(index_)) {
        return std::unexpected{"cannot bring \"" + name_ + "\" up: " + error.message() + "."};
    }
    for (const auto& [family, error] : {std::pair{net::Family::kIpv4, v4_error}, {net::Family::kIpv6, v6_error}}) {
        if (error) {
            kLog.info("One IP family is not available on this host",
                      log::field("family", std::string_view{family == net::Family::kIpv4 ? "IPv4" : "IPv6"}),
                      log::field("error", error.message()));
        } else {
            install_rules(family);
        }
    }
    // Replacing addresses makes the kernel drop routes; set them all again.
    set_routes(std::vector(routes_.begin(), routes_.end()));
    return {};
}

void TunInterface::install_rules(net::Family family) {
    for (const auto& [table, priority] : {std::pair{kRouteTable, kRouteRulePriority},
                                          {kLinkScopeTable, kLinkScopeRulePriority},
                                          {kInternetTable, kInternetRulePriority}}) {
        if (const auto error = netlink_.add_unmarked_rule(family, kSocketMark, table, priority)) {
            kLog.warn("Could not add a policy rule; traffic may not reach the tunnel", log::field("priority", priority),
                      log::field("error", error.message()));
        }
    }
}

Route TunInterface::route_to(const net::IpNetwork& network) const {
    Route route;
    route.destination = network;
    route.table = network.prefix() == 0 ? kInternetTable : kRouteTable;
    route.interface_index = index_;
    route.scope = RT_SCOPE_UNIVERSE;
    route.protocol = RTPROT_STATIC;
    return route;
}

void TunInterface::set_routes(const std::vector<net::IpNetwork>& routes) {
    std::set<net::IpNetwork> wanted{routes.begin(), routes.end()};
    for (const auto& network : routes_) {
        if (wanted.contains(network)) {
            continue;
        }
        const auto error = netlink_.delete_route(route_to(network));
        if (error && !is_already_gone(error)) {
            kLog.warn("Could not delete a route", log::field("error", error.message()));
        }
    }
    // Add all, not only the new ones: the kernel may have lost some.
    for (const auto& network : wanted) {
        const auto error = netlink_.add_route(route_to(network));
        if (error && error != std::errc::file_exists && !is_family_unavailable(error)) {
            kLog.warn("Could not add a route", log::field("error", error.message()));
            kLog.debug("Could not add a route", log::field("network", network));
        }
    }
    routes_ = std::move(wanted);
}

void TunInterface::sync_link_scope_routes() {
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto main_routes = netlink_.routes(family, RT_TABLE_MAIN);
        if (!main_routes) {
            kLog.debug("Could not read the main routing table", log::field("error", main_routes.error().message()));
            continue;
        }
        for (auto route : *main_routes) {
            if (route.scope != RT_SCOPE_LINK || route.interface_index == index_) {
                continue;
            }
            route.table = kLinkScopeTable;
            const auto error = netlink_.add_route(route);
            if (error && error != std::errc::file_exists) {
                kLog.debug("Could not copy an on-link route", log::field("error", error.message()));
            }
        }
    }
}

void TunInterface::flush_table(std::uint32_t table) {
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto routes = netlink_.routes(family, table);
        if (!routes) {
            continue;
        }
        for (const auto& route : *routes) {
            static_cast<void>(netlink_.delete_route(route));
        }
    }
}

}  // namespace culvert::io
