#include "culvert/io/netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "culvert/io/netlink_message.h"

namespace culvert::io {
namespace {

/// Room for one request; the longest is a route of a few dozen bytes.
using RequestBuffer = std::array<char, 1024>;

std::error_code from_errno(int error_number) {
    return {error_number, std::generic_category()};
}

nlmsghdr* start_request(RequestBuffer& buffer, int type, int flags) {
    auto* header = mnl_nlmsg_put_header(buffer.data());
    header->nlmsg_type = static_cast<std::uint16_t>(type);
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    return header;
}

void put_address(nlmsghdr* header, std::uint16_t type, const net::IpAddress& address) {
    mnl_attr_put(header, type, address.bytes().size(), address.bytes().data());
}

std::optional<Route> parse_route(const nlmsghdr* header) {
    const auto* message = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(header));
    if (message->rtm_family != AF_INET && message->rtm_family != AF_INET6) {
        return std::nullopt;
    }
    Route route;
    route.table = message->rtm_table;
    route.scope = message->rtm_scope;
    route.protocol = message->rtm_protocol;
    auto destination =
        net::IpAddress::unspecified(message->rtm_family == AF_INET ? net::Family::kIpv4 : net::Family::kIpv6);
    for_each_attribute(header, sizeof(rtmsg), [&](const nlattr* attribute) {
        switch (mnl_attr_get_type(attribute)) {
            case RTA_DST:
                if (is_address_of(attribute, message->rtm_family)) {
                    destination = address_in(attribute);
                }
                break;
            case RTA_PREFSRC:
                if (is_address_of(attribute, message->rtm_family)) {
                    route.preferred_source = address_in(attribute);
                }
                break;
            case RTA_TABLE:
                route.table = mnl_attr_get_u32(attribute);
                break;
            case RTA_OIF:
                route.interface_index = mnl_attr_get_u32(attribute);
                break;
            default:
                break;
        }
    });
    if (message->rtm_dst_len > destination.bit_length()) {
        return std::nullopt;
    }
    route.destination = net::IpNetwork{destination, message->rtm_dst_len};
    return route;
}

}  // namespace

void Netlink::Closer::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

Netlink::~Netlink() = default;
Netlink::Netlink(Netlink&&) noexcept = default;
Netlink& Netlink::operator=(Netlink&&) noexcept = default;

std::expected<Netlink, std::error_code> Netlink::open() {
    Netlink netlink;
    netlink.socket_.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!netlink.socket_ || mnl_socket_bind(netlink.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
        return std::unexpected{from_errno(errno)};
    }
    return netlink;
}

std::error_code Netlink::talk(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& visit) {
    request->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0) {
        return from_errno(errno);
    }
    struct Visitor {
        const std::function<void(const nlmsghdr*)>& visit;
        static int call(const nlmsghdr* header, void* self) {
            if (const auto& function = static_cast<Visitor*>(self)->visit) {
                function(header);
            }
            return MNL_CB_OK;
        }
    } visitor{visit};

    alignas(nlmsghdr) std::array<char, 32768> buffer;
    for (;;) {
        const auto length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0) {
            return from_errno(errno);
        }
        const int result = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence_,
                                      mnl_socket_get_portid(socket_.get()), &Visitor::call, &visitor);
        if (result < 0) {
            return from_errno(errno);
        }
        if (result == MNL_CB_STOP) {
            return {};
        }
    }
}

std::error_code Netlink::dump(int type, unsigned char family, const std::function<void(const nlmsghdr*)>& visit) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, type, NLM_F_DUMP);
    static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)))->rtgen_family = family;
    return talk(request, visit);
}

std::error_code Netlink::request(int type, int flags, ByteSpan header_and_attributes) {
    std::vector<char> buffer(MNL_ALIGN(NLMSG_HDRLEN) + MNL_ALIGN(header_and_attributes.size()));
    auto* message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = static_cast<std::uint16_t>(type);
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    std::memcpy(mnl_nlmsg_put_extra_header(message, header_and_attributes.size()), header_and_attributes.data(),
                header_and_attributes.size());
    return talk(message);
}

std::expected<unsigned, std::error_code> Netlink::interface_index(const std::string& name) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, RTM_GETLINK, NLM_F_ACK);
    mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
    mnl_attr_put_strz(request, IFLA_IFNAME, name.c_str());
    unsigned index = 0;
    const auto error = talk(request, [&](const nlmsghdr* header) {
        index = static_cast<unsigned>(static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header))->ifi_index);
    });
    if (error) {
        return std::unexpected{error};
    }
    return index;
}

std::expected<InterfaceKind, std::error_code> Netlink::interface_kind(const std::string& name) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, RTM_GETLINK, NLM_F_ACK);
    mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
    mnl_attr_put_strz(request, IFLA_IFNAME, name.c_str());
    InterfaceKind found;
    const auto read_tun = [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == IFLA_TUN_TYPE) {
            found.is_layer3 = mnl_attr_get_u8(attribute) == IFF_TUN;
        } else if (mnl_attr_get_type(attribute) == IFLA_TUN_MULTI_QUEUE) {
            found.is_multi_queue = mnl_attr_get_u8(attribute) != 0;
        }
    };
    const auto read_info = [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) {
            found.kind = mnl_attr_get_str(attribute);
        } else if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA && found.kind == "tun") {
            for_each_nested(attribute, read_tun);
        }
    };
    const auto error = talk(request, [&](const nlmsghdr* header) {
        for_each_attribute(header, sizeof(ifinfomsg), [&](const nlattr* attribute) {
            if (mnl_attr_get_type(attribute) == IFLA_LINKINFO) {
                for_each_nested(attribute, read_info);
            }
        });
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

std::error_code Netlink::change_link(unsigned index, const std::function<void(nlmsghdr*)>& add_attributes,
                                     unsigned flags, unsigned flags_mask) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, RTM_NEWLINK, NLM_F_ACK);
    auto* message = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
    message->ifi_index = static_cast<int>(index);
    message->ifi_flags = flags;
    message->ifi_change = flags_mask;
    if (add_attributes) {
        add_attributes(request);
    }
    return talk(request);
}

std::error_code Netlink::set_mtu(unsigned index, unsigned mtu) {
    return change_link(index, [&](nlmsghdr* request) { mnl_attr_put_u32(request, IFLA_MTU, mtu); }, 0, 0);
}

std::error_code Netlink::set_queue_length(unsigned index, unsigned packets) {
    return change_link(index, [&](nlmsghdr* request) { mnl_attr_put_u32(request, IFLA_TXQLEN, packets); }, 0, 0);
}

std::error_code Netlink::disable_link_local_generation(unsigned index) {
    return change_link(
        index,
        [](nlmsghdr* request) {
            auto* families = mnl_attr_nest_start(request, IFLA_AF_SPEC);
            auto* inet6 = mnl_attr_nest_start(request, AF_INET6);
            mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
            mnl_attr_nest_end(request, inet6);
            mnl_attr_nest_end(request, families);
        },
        0, 0);
}

std::error_code Netlink::set_up(unsigned index) {
    return change_link(index, {}, IFF_UP, IFF_UP);
}

bool Netlink::is_up(unsigned index) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, RTM_GETLINK, NLM_F_ACK);
    static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)))->ifi_index =
        static_cast<int>(index);
    bool is_up = false;
    const auto error = talk(request, [&](const nlmsghdr* header) {
        is_up = (static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header))->ifi_flags & IFF_UP) != 0;
    });
    return !error && is_up;
}

std::expected<std::vector<InterfaceAddress>, std::error_code> Netlink::addresses(unsigned index) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, RTM_GETADDR, NLM_F_DUMP);
    mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg));
    std::vector<InterfaceAddress> found;
    const auto error = talk(request, [&](const nlmsghdr* header) {
        const auto* message = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(header));
        if (message->ifa_index != index || (message->ifa_family != AF_INET && message->ifa_family != AF_INET6)) {
            return;
        }
        std::optional<net::IpAddress> address;
        std::optional<net::IpAddress> local;
        for_each_attribute(header, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
            const auto type = mnl_attr_get_type(attribute);
            if ((type == IFA_ADDRESS || type == IFA_LOCAL) && is_address_of(attribute, message->ifa_family)) {
                (type == IFA_LOCAL ? local : address) = address_in(attribute);
            }
        });
        // On point-to-point interfaces IFA_ADDRESS is the other end.
        if (const auto& own = local ? local : address) {
            found.push_back({*own, message->ifa_prefixlen});
        }
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

std::error_code Netlink::change_address(int type, int flags, unsigned index, const InterfaceAddress& address) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, type, NLM_F_ACK | flags);
    auto* message = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)));
    message->ifa_family = family_of(address.address.family());
    message->ifa_prefixlen = static_cast<unsigned char>(address.prefix);
    // Nobody else can hold an address of a TUN interface: skip duplicate address detection.
    message->ifa_flags = IFA_F_NODAD;
    message->ifa_index = index;
    put_address(request, IFA_LOCAL, address.address);
    put_address(request, IFA_ADDRESS, address.address);
    return talk(request);
}

std::error_code Netlink::add_address(unsigned index, const InterfaceAddress& address) {
    return change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, address);
}

std::error_code Netlink::delete_address(unsigned index, const InterfaceAddress& address) {
    return change_address(RTM_DELADDR, 0, index, address);
}

std::expected<std::vector<Route>, std::error_code> Netlink::routes(net::Family family, std::uint32_t table) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, RTM_GETROUTE, NLM_F_DUMP);
    auto* message = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
    message->rtm_family = family_of(family);
    std::vector<Route> found;
    const auto error = talk(request, [&](const nlmsghdr* header) {
        if (const auto route = parse_route(header); route && route->table == table) {
            found.push_back(*route);
        }
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

std::error_code Netlink::change_route(int type, int flags, const Route& route) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, type, NLM_F_ACK | flags);
    auto* message = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
    message->rtm_family = family_of(route.destination.family());
    message->rtm_dst_len = static_cast<unsigned char>(route.destination.prefix());
    message->rtm_table = RT_TABLE_UNSPEC;  // too large for one byte: RTA_TABLE carries it
    message->rtm_protocol = route.protocol;
    message->rtm_scope = route.scope;
    message->rtm_type = RTN_UNICAST;
    put_address(request, RTA_DST, route.destination.address());
    mnl_attr_put_u32(request, RTA_TABLE, route.table);
    mnl_attr_put_u32(request, RTA_OIF, route.interface_index);
    if (route.preferred_source) {
        put_address(request, RTA_PREFSRC, *route.preferred_source);
    }
    return talk(request);
}

std::error_code Netlink::add_route(const Route& route) {
    return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

std::error_code Netlink::delete_route(const Route& route) {
    return change_route(RTM_DELROUTE, 0, route);
}

std::error_code Netlink::change_unmarked_rule(int type, int flags, net::Family family, const UnmarkedRule& rule) {
    RequestBuffer buffer{};
    auto* request = start_request(buffer, type, NLM_F_ACK | flags);
    auto* message = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(request, sizeof(fib_rule_hdr)));
    message->family = family_of(family);
    message->action = FR_ACT_TO_TBL;
    message->flags = FIB_RULE_INVERT;
    message->table = RT_TABLE_UNSPEC;
    mnl_attr_put_u32(request, FRA_TABLE, rule.table);
    mnl_attr_put_u32(request, FRA_FWMARK, rule.mark);
    mnl_attr_put_u32(request, FRA_PRIORITY, rule.priority);
    mnl_attr_put_u8(request, FRA_PROTOCOL, RTPROT_KERNEL);
    return talk(request);
}

std::error_code Netlink::add_unmarked_rule(net::Family family, const UnmarkedRule& rule) {
    const auto error = change_unmarked_rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family, rule);
    return error == std::errc::file_exists ? std::error_code{} : error;
}

std::error_code Netlink::delete_unmarked_rule(net::Family family, const UnmarkedRule& rule) {
    return change_unmarked_rule(RTM_DELRULE, 0, family, rule);
}

std::expected<std::vector<UnmarkedRule>, std::error_code> Netlink::unmarked_rules(net::Family family) {
    std::vector<UnmarkedRule> found;
    const auto error = dump(RTM_GETRULE, family_of(family), [&](const nlmsghdr* header) {
        const auto* message = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(header));
        if (message->action != FR_ACT_TO_TBL || (message->flags & FIB_RULE_INVERT) == 0) {
            return;
        }
        UnmarkedRule rule{.mark = 0, .table = message->table, .priority = 0};
        for_each_attribute(header, sizeof(fib_rule_hdr), [&](const nlattr* attribute) {
            switch (mnl_attr_get_type(attribute)) {
                case FRA_TABLE:
                    rule.table = mnl_attr_get_u32(attribute);
                    break;
                case FRA_FWMARK:
                    rule.mark = mnl_attr_get_u32(attribute);
                    break;
                case FRA_PRIORITY:
                    rule.priority = mnl_attr_get_u32(attribute);
                    break;
                default:
                    break;
            }
        });
        found.push_back(rule);
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

}  // namespace culvert::io
