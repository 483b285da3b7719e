#include "culvert/io/tun_interface.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <utility>

#include "culvert/io/constants.h"
#include "culvert/io/full_route.h"
#include "culvert/io/link_scope_routes.h"
#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

/// IPv6 is switched off on many hosts; that is not worth a warning for each route.
bool is_family_unavailable(std::error_code error) {
    return error == std::errc::operation_not_supported || error == std::errc::permission_denied;
}

constexpr auto kRules = [] {
    std::array<UnmarkedRule, kRoutingTables.size()> rules{};
    std::ranges::transform(kRoutingTables, rules.begin(), [](const RoutingTable& table) {
        return UnmarkedRule{.mark = kSocketMark, .table = table.number, .priority = table.rule_priority};
    });
    return rules;
}();

constexpr std::array kFamilies{net::Family::kIpv4, net::Family::kIpv6};

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
    interface.remove_rules_and_routes();
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
    requested_ = {v4, v6};
    ipv4_.reset();
    ipv6_.reset();
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
            (family == net::Family::kIpv4 ? ipv4_ : ipv6_) = family == net::Family::kIpv4 ? v4 : v6;
            install_rules(family);
        }
    }
    // Replacing addresses makes the kernel drop routes; set them all again.
    set_routes(std::vector(routes_.begin(), routes_.end()));
    return {};
}

void TunInterface::install_rules(net::Family family) {
    for (const auto& rule : kRules) {
        if (const auto error = netlink_.add_unmarked_rule(family, rule)) {
            kLog.warn("Could not add a policy rule; traffic may not reach the tunnel",
                      log::field("priority", rule.priority), log::field("error", error.message()));
        }
    }
}

TunInterface::~TunInterface() {
    if (netlink_) {
        remove_rules_and_routes();
    }
}

void TunInterface::remove_rules_and_routes() {
    for (const auto family : kFamilies) {
        for (const auto& rule : kRules) {
            // Once for each copy; the first failure says that there is none any more.
            constexpr int kMostCopies = 16;
            for (int i = 0; i < kMostCopies && !netlink_.delete_unmarked_rule(family, rule); ++i) {
            }
        }
    }
    for (const auto& table : kRoutingTables) {
        flush_table(netlink_, table.number);
    }
}

bool TunInterface::is_intact() {
    const auto existing = netlink_.addresses(index_);
    if (!existing || !netlink_.is_up(index_)) {
        return false;
    }
    return (!ipv4_ || is_family_intact(net::Family::kIpv4, *ipv4_, *existing)) &&
           (!ipv6_ || is_family_intact(net::Family::kIpv6, *ipv6_, *existing));
}

bool TunInterface::is_family_intact(net::Family family, const net::IpAddress& address,
                                    const std::vector<InterfaceAddress>& existing) {
    if (std::ranges::find(existing, InterfaceAddress{address, address.bit_length()}) == existing.end()) {
        return false;
    }
    const auto rules = netlink_.unmarked_rules(family);
    const auto routes = full_routes(netlink_, family);
    if (!rules || !routes) {
        return true;  // unknown; better no change than a wrong one
    }
    const bool has_rules = std::ranges::all_of(
        kRules, [&](const UnmarkedRule& rule) { return std::ranges::find(*rules, rule) != rules->end(); });
    const auto is_there = [&](const net::IpNetwork& network) {
        const auto wanted = route_to(network);
        return network.family() != family || std::ranges::any_of(*routes, [&](const FullRoute& route) {
                   return route.destination == network && route.table == wanted.table &&
                          route.interface_index == index_;
               });
    };
    return has_rules && std::ranges::all_of(routes_, is_there);
}

std::expected<bool, std::string> TunInterface::repair() {
    if (!requested_ || is_intact()) {
        return false;
    }
    const auto [v4, v6] = *requested_;
    if (const auto set = set_addresses(v4, v6); !set) {
        return std::unexpected{set.error()};
    }
    return true;
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
    sync_link_scope_table(netlink_, index_);
}

}  // namespace culvert::io
