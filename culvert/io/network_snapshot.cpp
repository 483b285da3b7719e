#include "culvert/io/network_snapshot.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <vector>

#include "culvert/io/constants.h"
#include "culvert/io/full_route.h"
#include "culvert/io/netlink_message.h"

namespace culvert::io {
namespace {

bool is_default_route(const FullRoute& route, unsigned tun_index) {
    return route.type == RTN_UNICAST && route.destination.prefix() <= kLongestDefaultRoute &&
           route.interface_index != tun_index && !is_own_table(route.table) &&
           (route.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0;
}

std::error_code add_default_routes(Netlink& netlink, unsigned tun_index, NetworkSnapshot& snapshot,
                                   std::set<unsigned>& interfaces) {
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto routes = full_routes(netlink, family);
        if (!routes) {
            return routes.error();
        }
        for (const auto& route : *routes) {
            if (!is_default_route(route, tun_index)) {
                continue;
            }
            auto text = route.attributes;
            text.push_back(static_cast<std::byte>(family_of(family)));
            text.push_back(static_cast<std::byte>(route.destination.prefix()));
            for (unsigned shift = 0; shift < 32; shift += 8) {
                text.push_back(static_cast<std::byte>(route.table >> shift));
            }
            snapshot.default_routes.insert(std::move(text));
            interfaces.insert(route.interface_index);
        }
    }
    return {};
}

/// Interfaces that can carry packets.
std::expected<std::set<unsigned>, std::error_code> working_interfaces(Netlink& netlink, unsigned tun_index) {
    std::set<unsigned> found;
    const auto error = netlink.dump(RTM_GETLINK, AF_UNSPEC, [&](const nlmsghdr* header) {
        const auto* message = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
        constexpr unsigned kWorks = IFF_UP | IFF_RUNNING;
        if ((message->ifi_flags & kWorks) == kWorks && (message->ifi_flags & IFF_LOOPBACK) == 0 &&
            static_cast<unsigned>(message->ifi_index) != tun_index) {
            found.insert(static_cast<unsigned>(message->ifi_index));
        }
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

std::expected<std::set<NetworkSnapshot::Address>, std::error_code> lasting_addresses(Netlink& netlink) {
    std::set<NetworkSnapshot::Address> found;
    const auto error = netlink.dump(RTM_GETADDR, AF_UNSPEC, [&](const nlmsghdr* header) {
        const auto* message = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(header));
        if (!is_ip_family(message->ifa_family) || message->ifa_scope != RT_SCOPE_UNIVERSE) {
            return;
        }
        std::uint32_t flags = message->ifa_flags;
        std::optional<net::IpAddress> address;
        std::optional<net::IpAddress> local;
        for_each_attribute(header, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
            const auto type = mnl_attr_get_type(attribute);
            if (type == IFA_FLAGS) {
                flags = mnl_attr_get_u32(attribute);
            } else if ((type == IFA_ADDRESS || type == IFA_LOCAL) && is_address_of(attribute, message->ifa_family)) {
                (type == IFA_LOCAL ? local : address) = address_in(attribute);
            }
        });
        // IFA_F_SECONDARY and IFA_F_TEMPORARY are one bit: "secondary" in IPv4.
        const bool is_temporary = message->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0;
        if (!is_temporary && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) == 0 &&
            (local || address)) {
            found.insert({message->ifa_index, local ? *local : *address});
        }
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

}  // namespace

std::expected<NetworkSnapshot, std::error_code> take_snapshot(Netlink& netlink, unsigned tun_index) {
    NetworkSnapshot snapshot;
    std::set<unsigned> leading_out;
    if (const auto error = add_default_routes(netlink, tun_index, snapshot, leading_out)) {
        return std::unexpected{error};
    }
    const auto working = working_interfaces(netlink, tun_index);
    const auto addresses = lasting_addresses(netlink);
    if (!working || !addresses) {
        return std::unexpected{working ? addresses.error() : working.error()};
    }
    // Next hops on several interfaces have no single one (0).
    const bool is_any = leading_out.empty() || leading_out.contains(0);
    for (const auto& address : *addresses) {
        if (working->contains(address.interface_index) && (is_any || leading_out.contains(address.interface_index))) {
            snapshot.addresses.insert(address);
        }
    }
    return snapshot;
}

}  // namespace culvert::io
