#pragma once

#include <cstdint>
#include <expected>
#include <system_error>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/io/netlink.h"
#include "culvert/net/ip_network.h"

namespace culvert::io {

/// A route with everything that the kernel says about it, so that it can be copied into another table: next hops,
/// metric, type, whatever there is.
struct FullRoute {
    net::IpNetwork destination;
    std::uint32_t table = 0;
    unsigned interface_index = 0;  ///< 0: several, or none
    std::uint8_t type = 0;         ///< RTN_*
    std::uint8_t scope = 0;        ///< RT_SCOPE_*
    std::uint8_t protocol = 0;     ///< RTPROT_*
    std::uint8_t type_of_service = 0;
    std::uint32_t flags = 0;  ///< RTNH_F_*
    /// Whether packets go to a router instead of their destination.
    bool has_gateway = false;
    /// As in a netlink message; without the table, and without what changes all the time.
    Bytes attributes;

    /// Whether both do the same with a packet, in whichever table they are.
    [[nodiscard]] bool is_copy_of(const FullRoute& other) const;
};

/// The routes of one family, of all tables.
[[nodiscard]] std::expected<std::vector<FullRoute>, std::error_code> full_routes(Netlink& netlink, net::Family family);

/// An equal route that is there already is an error (EEXIST).
std::error_code add_route(Netlink& netlink, const FullRoute& route, std::uint32_t table);
std::error_code delete_route(Netlink& netlink, const FullRoute& route);

}  // namespace culvert::io
