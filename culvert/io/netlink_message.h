#pragma once

// Reading what the kernel says over netlink. For the files that speak it; everybody else uses netlink.h.

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <functional>

#include "culvert/net/ip_address.h"

namespace culvert::io {

inline std::uint8_t family_of(net::Family family) {
    return family == net::Family::kIpv4 ? AF_INET : AF_INET6;
}

inline bool is_ip_family(unsigned char family) {
    return family == AF_INET || family == AF_INET6;
}

inline net::Family family_from(unsigned char family) {
    return family == AF_INET ? net::Family::kIpv4 : net::Family::kIpv6;
}

/// Calls visit(attribute) for each attribute behind a header of `header_size` bytes.
inline void for_each_attribute(const nlmsghdr* message, std::size_t header_size,
                               const std::function<void(const nlattr*)>& visit) {
    const auto call = [](const nlattr* attribute, void* self) {
        (*static_cast<const std::function<void(const nlattr*)>*>(self))(attribute);
        return static_cast<int>(MNL_CB_OK);
    };
    mnl_attr_parse(message, static_cast<unsigned>(header_size), call,
                   const_cast<std::function<void(const nlattr*)>*>(&visit));
}

/// The same for attributes within an attribute.
inline void for_each_nested(const nlattr* parent, const std::function<void(const nlattr*)>& visit) {
    const auto call = [](const nlattr* attribute, void* self) {
        (*static_cast<const std::function<void(const nlattr*)>*>(self))(attribute);
        return static_cast<int>(MNL_CB_OK);
    };
    mnl_attr_parse_nested(parent, call, const_cast<std::function<void(const nlattr*)>*>(&visit));
}

inline bool is_address_of(const nlattr* attribute, unsigned char family) {
    return mnl_attr_get_payload_len(attribute) == (family == AF_INET ? 4 : 16);
}

/// Requires is_address_of().
inline net::IpAddress address_in(const nlattr* attribute) {
    return net::IpAddress::from_bytes(
        {static_cast<const std::byte*>(mnl_attr_get_payload(attribute)), mnl_attr_get_payload_len(attribute)});
}

}  // namespace culvert::io
