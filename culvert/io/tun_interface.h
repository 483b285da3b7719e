#pragma once

#include <expected>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "culvert/io/netlink.h"
#include "culvert/net/ip_network.h"

namespace culvert::io {

/// The kernel's side of a TUN device: addresses, MTU, routes and policy rules. Used by the control thread.
/// Source: spec/io-and-performance.md sections 5.2 to 5.4.
class TunInterface {
public:
    /// Opens a netlink socket and removes what a crashed predecessor left in our routing tables, and its rules.
    /// The error is for a person.
    [[nodiscard]] static std::expected<TunInterface, std::string> attach(const std::string& name, bool has_tun_offload);

    /// Takes rules and routes away. Needs CAP_NET_ADMIN and the netlink socket that attach() opened.
    ~TunInterface();
    TunInterface(TunInterface&&) noexcept = default;
    TunInterface& operator=(TunInterface&&) = delete;

    /// Makes these the only addresses (those that stay are left alone), sets the MTU, brings the interface up and
    /// installs the policy rules of each family whose address could be set. Fails only if neither family works.
    [[nodiscard]] std::expected<void, std::string> set_addresses(const net::IpAddress& v4, const net::IpAddress& v6);

    /// Makes the tunnel's routes exactly these: default routes go into the Internet table, all others into the
    /// specific one. A route that cannot be set is logged and skipped.
    void set_routes(const std::vector<net::IpNetwork>& routes);

    /// Keeps the local network reachable beside a default route through the tunnel (link_scope_routes.h). Call again
    /// when the host's network changes.
    void sync_link_scope_routes();

    /// Whether addresses, rules and routes are as they were set.
    [[nodiscard]] bool is_intact();

    /// Puts back what somebody else took away; says whether anything was missing. The error is for a person.
    std::expected<bool, std::string> repair();

    [[nodiscard]] unsigned index() const { return index_; }

private:
    TunInterface(Netlink netlink, std::string name, unsigned index);

    void install_rules(net::Family family);
    void remove_rules_and_routes();
    [[nodiscard]] bool is_family_intact(net::Family family, const net::IpAddress& address,
                                        const std::vector<InterfaceAddress>& existing);
    [[nodiscard]] Route route_to(const net::IpNetwork& network) const;

    Netlink netlink_;
    std::string name_;
    unsigned index_;
    std::set<net::IpNetwork> routes_;
    std::optional<std::pair<net::IpAddress, net::IpAddress>> requested_;
    /// Those that set_addresses() could set.
    std::optional<net::IpAddress> ipv4_;
    std::optional<net::IpAddress> ipv6_;
};

}  // namespace culvert::io
