#include "culvert/io/network_watch.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>

#include "culvert/io/constants.h"
#include "culvert/io/netlink_message.h"
#include "culvert/io/network_snapshot.h"

namespace culvert::io {
namespace {

constexpr std::array kGroups{RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR,  RTNLGRP_IPV6_IFADDR,
                             RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,   RTNLGRP_IPV4_RULE,
                             RTNLGRP_IPV6_RULE,  RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF};

/// RTA_TABLE and FRA_TABLE, RTA_OIF: as one look at the message.
struct RouteFacts {
    unsigned prefix = 0;
    std::uint32_t table = 0;
    unsigned interface_index = 0;
};

RouteFacts facts_of(const nlmsghdr* header) {
    RouteFacts facts;
    // rtmsg and fib_rule_hdr have one layout.
    static_assert(sizeof(rtmsg) == sizeof(fib_rule_hdr));
    facts.prefix = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(header))->rtm_dst_len;
    facts.table = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(header))->rtm_table;
    const bool is_rule = header->nlmsg_type == RTM_NEWRULE || header->nlmsg_type == RTM_DELRULE;
    for_each_attribute(header, sizeof(rtmsg), [&](const nlattr* attribute) {
        const auto type = mnl_attr_get_type(attribute);
        if (type == (is_rule ? static_cast<int>(FRA_TABLE) : static_cast<int>(RTA_TABLE))) {
            facts.table = mnl_attr_get_u32(attribute);
        } else if (!is_rule && type == RTA_OIF) {
            facts.interface_index = mnl_attr_get_u32(attribute);
        }
    });
    return facts;
}

/// Whether the whole host stopped forwarding.
bool is_end_of_forwarding(const nlmsghdr* header) {
    int interface = 0;
    std::uint32_t forwarding = 1;
    for_each_attribute(header, sizeof(netconfmsg), [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == NETCONFA_IFINDEX) {
            interface = static_cast<int>(mnl_attr_get_u32(attribute));
        } else if (mnl_attr_get_type(attribute) == NETCONFA_FORWARDING) {
            forwarding = mnl_attr_get_u32(attribute);
        }
    });
    return interface == NETCONFA_IFINDEX_ALL && forwarding == 0;
}

}  // namespace

void NetworkWatch::Closer::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

NetworkWatch::~NetworkWatch() = default;
NetworkWatch::NetworkWatch(NetworkWatch&&) noexcept = default;
NetworkWatch& NetworkWatch::operator=(NetworkWatch&&) noexcept = default;

std::expected<NetworkWatch, std::error_code> NetworkWatch::open(unsigned tun_index) {
    NetworkWatch watch{tun_index};
    watch.socket_.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!watch.socket_ || mnl_socket_bind(watch.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
        return std::unexpected{std::error_code{errno, std::generic_category()}};
    }
    for (auto group : kGroups) {
        int number = group;
        if (mnl_socket_setsockopt(watch.socket_.get(), NETLINK_ADD_MEMBERSHIP, &number, sizeof number) < 0) {
            return std::unexpected{std::error_code{errno, std::generic_category()}};
        }
    }
    return watch;
}

int NetworkWatch::fd() const {
    return mnl_socket_get_fd(socket_.get());
}

NetworkWatch::Changes NetworkWatch::take() {
    struct Visitor {
        const NetworkWatch& watch;
        Changes changes;
        static int call(const nlmsghdr* header, void* self) {
            auto& visitor = *static_cast<Visitor*>(self);
            visitor.watch.note(header, visitor.changes);
            return MNL_CB_OK;
        }
    } visitor{*this, {}};

    // A turn of this thread does not go on for as long as somebody changes routes.
    constexpr int kMostReads = 256;
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    for (int i = 0; i < kMostReads; ++i) {
        const auto length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0) {
            if (errno == ENOBUFS) {  // more than fitted: anything may have happened
                visitor.changes = {.host = true, .routes = true, .ours = true};
                continue;
            }
            break;
        }
        mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0, 0, &Visitor::call, &visitor);
    }
    return visitor.changes;
}

void NetworkWatch::note(const nlmsghdr* header, Changes& changes) const {
    switch (header->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK: {
            const auto* message = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
            if (static_cast<unsigned>(message->ifi_index) != tun_index_) {
                changes.host = true;
            } else if ((message->ifi_flags & IFF_UP) == 0) {
                changes.ours = true;
            }
            break;
        }
        case RTM_NEWADDR:
        case RTM_DELADDR: {
            const auto* message = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(header));
            if (message->ifa_index != tun_index_) {
                changes.host = true;
            } else if (header->nlmsg_type == RTM_DELADDR) {
                changes.ours = true;
            }
            break;
        }
        case RTM_NEWROUTE:
        case RTM_DELROUTE: {
            const auto facts = facts_of(header);
            if (is_own_table(facts.table)) {
                changes.ours |= header->nlmsg_type == RTM_DELROUTE;
                // A copied route disappears with its interface; then the copies need another look.
                changes.routes |= facts.table == kLinkScopeTable && header->nlmsg_type == RTM_DELROUTE;
            } else if (facts.interface_index != tun_index_) {
                (facts.prefix <= kLongestDefaultRoute ? changes.host : changes.routes) = true;
            }
            break;
        }
        case RTM_DELRULE:
            changes.ours |= is_own_table(facts_of(header).table);
            break;
        case RTM_NEWNETCONF:
            changes.ours |= is_end_of_forwarding(header);
            break;
        default:
            break;
    }
}

}  // namespace culvert::io
