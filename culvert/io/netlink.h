#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "culvert/base/bytes.h"
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

/// "Packets that do not carry `mark` look into `table`."
struct UnmarkedRule {
    std::uint32_t mark = 0;
    std::uint32_t table = 0;
    std::uint32_t priority = 0;

    friend bool operator==(const UnmarkedRule&, const UnmarkedRule&) = default;
};

/// An address of an interface with the length of its on-link prefix.
struct InterfaceAddress {
    net::IpAddress address;
    unsigned prefix = 0;

    friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// What made an interface.
struct InterfaceKind {
    std::string kind;             ///< as in "ip link add type"; empty: hardware, loopback
    bool is_layer3 = true;        ///< of kind "tun": TUN, not TAP
    bool is_multi_queue = false;  ///< of kind "tun"

    friend bool operator==(const InterfaceKind&, const InterfaceKind&) = default;
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
    /// False once it has been moved from.
    explicit operator bool() const { return socket_ != nullptr; }

    /// Index of the interface with that name.
    [[nodiscard]] std::expected<unsigned, std::error_code> interface_index(const std::string& name);

    [[nodiscard]] std::expected<InterfaceKind, std::error_code> interface_kind(const std::string& name);

    std::error_code set_mtu(unsigned interface_index, unsigned mtu);
    std::error_code set_queue_length(unsigned interface_index, unsigned packets);
    /// Keeps the kernel from adding a link-local address of its own, whose tentative state would get in our way.
    std::error_code disable_link_local_generation(unsigned interface_index);
    std::error_code set_up(unsigned interface_index);
    [[nodiscard]] bool is_up(unsigned interface_index);

    [[nodiscard]] std::expected<std::vector<InterfaceAddress>, std::error_code> addresses(unsigned interface_index);
    std::error_code add_address(unsigned interface_index, const InterfaceAddress& address);
    std::error_code delete_address(unsigned interface_index, const InterfaceAddress& address);

    [[nodiscard]] std::expected<std::vector<Route>, std::error_code> routes(net::Family family, std::uint32_t table);
    std::error_code add_route(const Route& route);
    std::error_code delete_route(const Route& route);

    /// An existing equal rule is success.
    std::error_code add_unmarked_rule(net::Family family, const UnmarkedRule& rule);
    std::error_code delete_unmarked_rule(net::Family family, const UnmarkedRule& rule);
    [[nodiscard]] std::expected<std::vector<UnmarkedRule>, std::error_code> unmarked_rules(net::Family family);

    /// For what has no function here. `type`: RTM_GET*; `family`: AF_*.
    std::error_code dump(int type, unsigned char family, const std::function<void(const nlmsghdr*)>& visit);
    /// Sends a request whose own header and attributes are made already, and waits for the kernel's answer.
    std::error_code request(int type, int flags, ByteSpan header_and_attributes);

private:
    struct Closer {
        void operator()(mnl_socket* socket) const;
    };

    Netlink() = default;

    std::error_code change_link(unsigned interface_index, const std::function<void(nlmsghdr*)>& add_attributes,
                                unsigned flags, unsigned flags_mask);
    std::error_code change_address(int type, int flags, unsigned interface_index, const InterfaceAddress& address);
    std::error_code change_unmarked_rule(int type, int flags, net::Family family, const UnmarkedRule& rule);
    std::error_code change_route(int type, int flags, const Route& route);
    /// Sends `request` and hands each answer to `visit` until the kernel says that it is done.
    std::error_code talk(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& visit = {});

    std::unique_ptr<mnl_socket, Closer> socket_;
    unsigned sequence_ = 0;
};

}  // namespace culvert::io
