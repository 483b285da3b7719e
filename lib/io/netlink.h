#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "culvert/net/ip_network.h"

struct mnl_socket;
struct nlmsghdr;

namespace culvert::io {

/// A route, as far as we set and read it.
struct Route {
    net::IpNetwork destination;
    std::uint32_t table = 0;
    unsigned interface_index = 0;
    std::uint8_t scope = 0;     // RT_SCOPE_*
    std::uint8_t protocol = 4;  // RTPROT_STATIC
    std::optional<net::IpAddress> preferred_source;

    friend bool operator==(const Route&, const Route&) = default;
};

/// An address of an interface with the length of its on-link prefix.
struct InterfaceAddress {
    net::IpAddress address;
    unsigned prefix = 0;

    friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// Talks rtnetlink: links, addresses, routes and rules, without any external command. One request at a time (two dumps
/// at once would fail with EBUSY). Blocking, for the control thread. All functions act in the network namespace in
/// which open() was called.
class Netlink {
public:
    [[nodiscard]] static std::expected<Netlink, std::error_code> open();
    ~Netlink();
    Netlink(Netlink&&) noexcept;
    Netlink& operator=(Netlink&&) noexcept;

    /// Index of the interface with that name.
    [[nodiscard]] std::expected<unsigned, std::error_code> interface_index(const std::string& name);

    std::error_code set_mtu(unsigned interface_index, unsigned mtu);
    std::error_code set_queue_length(unsigned interface_index, unsigned packets);
    /// Keeps the kernel from adding a link-local address of its own, whose tentative state would get in our way.
    std::error_code disable_link_local_generation(unsigned interface_index);
    std::error_code set_up(unsigned interface_index);

    [[nodiscard]] std::expected<std::vector<InterfaceAddress>, std::error_code> addresses(unsigned interface_index);
    std::error_code add_address(unsigned interface_index, const InterfaceAddress& address);
    std::error_code delete_address(unsigned interface_index, const InterfaceAddress& address);

    [[nodiscard]] std::expected<std::vector<Route>, std::error_code> routes(net::Family family, std::uint32_t table);
    std::error_code add_route(const Route& route);
    std::error_code delete_route(const Route& route);

    /// "Packets that do not carry `mark` look into `table`." An existing equal rule is success.
    std::error_code add_unmarked_rule(net::Family family, std::uint32_t mark, std::uint32_t table,
                                      std::uint32_t priority);

private:
    struct Closer {
        void operator()(mnl_socket* socket) const;
    };

    Netlink() = default;

    std::error_code change_link(unsigned interface_index, const std::function<void(nlmsghdr*)>& add_attributes,
                                unsigned flags, unsigned flags_mask);
    std::error_code change_address(int type, int flags, unsigned interface_index, const InterfaceAddress& address);
    std::error_code change_route(int type, int flags, const Route& route);
    /// Sends `request` and hands each answer to `visit` until the kernel says that it is done.
    std::error_code talk(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& visit = {});

    std::unique_ptr<mnl_socket, Closer> socket_;
    unsigned sequence_ = 0;
};

}  // namespace culvert::io
