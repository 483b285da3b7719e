#include "culvert/io/full_route.h"

#include <linux/rtnetlink.h>

#include <cstring>
#include <optional>

#include "culvert/io/netlink_message.h"

namespace culvert::io {
namespace {

void append(Bytes& bytes, const void* data, std::size_t size) {
    const auto* start = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), start, start + size);
}

void append_attribute(Bytes& bytes, std::uint16_t type, const void* data, std::size_t size) {
    const nlattr attribute{.nla_len = static_cast<std::uint16_t>(MNL_ATTR_HDRLEN + size), .nla_type = type};
    append(bytes, &attribute, sizeof attribute);
    append(bytes, data, size);
    bytes.resize(MNL_ALIGN(bytes.size()));
}

bool has_gateway_among(const nlattr* next_hops) {
    // An array of next hops, each with attributes of its own.
    auto* hop = static_cast<rtnexthop*>(mnl_attr_get_payload(next_hops));
    for (int left = mnl_attr_get_payload_len(next_hops); left > 0 && RTNH_OK(hop, left);) {
        const auto size = static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
        auto* attribute = RTNH_DATA(hop);
        int attributes = static_cast<int>(hop->rtnh_len) - static_cast<int>(RTNH_LENGTH(0));
        for (; RTA_OK(attribute, attributes); attribute = RTA_NEXT(attribute, attributes)) {
            if (attribute->rta_type == RTA_GATEWAY || attribute->rta_type == RTA_VIA) {
                return true;
            }
        }
        left -= size;
        hop = RTNH_NEXT(hop);
    }
    return false;
}

std::optional<FullRoute> parse(const nlmsghdr* header) {
    const auto* message = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(header));
    if (!is_ip_family(message->rtm_family)) {
        return std::nullopt;
    }
    FullRoute route;
    route.table = message->rtm_table;
    route.type = message->rtm_type;
    route.scope = message->rtm_scope;
    route.protocol = message->rtm_protocol;
    route.type_of_service = message->rtm_tos;
    route.flags = message->rtm_flags;
    auto destination = net::IpAddress::unspecified(family_from(message->rtm_family));
    for_each_attribute(header, sizeof(rtmsg), [&](const nlattr* attribute) {
        const auto type = mnl_attr_get_type(attribute);
        switch (type) {
            case RTA_TABLE:
                route.table = mnl_attr_get_u32(attribute);
                return;
            case RTA_CACHEINFO:  // lifetimes and statistics
                return;
            case RTA_DST:
                if (is_address_of(attribute, message->rtm_family)) {
                    destination = address_in(attribute);
                }
                break;
            case RTA_OIF:
                route.interface_index = mnl_attr_get_u32(attribute);
                break;
            case RTA_GATEWAY:
            case RTA_VIA:
                route.has_gateway = true;
                break;
            case RTA_MULTIPATH:
                route.has_gateway = has_gateway_among(attribute);
                break;
            default:
                break;
        }
        append_attribute(route.attributes, type, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
    });
    if (message->rtm_dst_len > destination.bit_length()) {
        return std::nullopt;
    }
    route.destination = net::IpNetwork{destination, message->rtm_dst_len};
    return route;
}

/// What a next hop object stands for is repeated beside it in what the kernel says, and must not be in a request.
bool is_implied_by_next_hop_object(std::uint16_t type) {
    return type == RTA_OIF || type == RTA_GATEWAY || type == RTA_VIA || type == RTA_MULTIPATH || type == RTA_ENCAP ||
           type == RTA_ENCAP_TYPE;
}

void for_each(const Bytes& attributes, const std::function<void(const nlattr*)>& visit) {
    const auto* attribute = reinterpret_cast<const nlattr*>(attributes.data());
    auto left = static_cast<int>(attributes.size());
    for (; mnl_attr_ok(attribute, left); attribute = mnl_attr_next(attribute)) {
        left -= MNL_ALIGN(attribute->nla_len);
        visit(attribute);
    }
}

Bytes encode(const FullRoute& route, std::uint32_t table) {
    rtmsg message{};
    message.rtm_family = family_of(route.destination.family());
    message.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix());
    message.rtm_tos = route.type_of_service;
    message.rtm_table = RT_TABLE_UNSPEC;  // too large for one byte: RTA_TABLE carries it
    message.rtm_protocol = route.protocol;
    message.rtm_scope = route.scope;
    message.rtm_type = route.type;
    message.rtm_flags = route.flags & RTNH_F_ONLINK;
    Bytes bytes;
    append(bytes, &message, sizeof message);
    bool has_object = false;
    for_each(route.attributes,
             [&](const nlattr* attribute) { has_object |= mnl_attr_get_type(attribute) == RTA_NH_ID; });
    for_each(route.attributes, [&](const nlattr* attribute) {
        const auto type = mnl_attr_get_type(attribute);
        if (!(has_object && is_implied_by_next_hop_object(type))) {
            append_attribute(bytes, type, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
        }
    });
    append_attribute(bytes, RTA_TABLE, &table, sizeof table);
    return bytes;
}

}  // namespace

bool FullRoute::is_copy_of(const FullRoute& other) const {
    return destination == other.destination && type == other.type && scope == other.scope &&
           protocol == other.protocol && type_of_service == other.type_of_service && attributes == other.attributes;
}

std::expected<std::vector<FullRoute>, std::error_code> full_routes(Netlink& netlink, net::Family family) {
    std::vector<FullRoute> found;
    const auto error = netlink.dump(RTM_GETROUTE, family_of(family), [&](const nlmsghdr* header) {
        if (auto route = parse(header)) {
            found.push_back(std::move(*route));
        }
    });
    if (error) {
        return std::unexpected{error};
    }
    return found;
}

std::error_code add_route(Netlink& netlink, const FullRoute& route, std::uint32_t table) {
    return netlink.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, encode(route, table));
}

std::error_code delete_route(Netlink& netlink, const FullRoute& route) {
    return netlink.request(RTM_DELROUTE, 0, encode(route, route.table));
}

}  // namespace culvert::io
