#pragma once

#include <expected>
#include <set>
#include <string>
#include <vector>

#include "culvert/io/netlink.h"
#include "culvert/net/ip_network.h"

namespace culvert::io {

/// The kernel's side of a TUN device: addresses, MTU, routes and policy rules. Used by the control thread.
/// Source: spec/io-and-performance.md sections 5.2 to 5.4.
class TunInterface {
public:
    /// Opens a netlink socket and flushes what a crashed predecessor left in our routing tables.
    /// The error is for a person.
    [[nodiscard]] static std::expected<TunInterface, std::string> attach(const std::string& name, bool has_tun_offload);

    /// Makes these the only addresses (those that stay are left alone), sets the MTU, brings the interface up and
    /// installs the policy rules of each family whose address could be set. Fails only if neither family works.
    [[nodiscard]] std::expected<void, std::string> set_addresses(const net::IpAddress& v4, const net::IpAddress& v6);

    /// Makes the tunnel's routes exactly these: default routes go into the Internet table, all others into the
    /// specific one. A route that cannot be set is logged and skipped.
    void set_routes(const std::vector<net::IpNetwork>& routes);

    /// Copies the on-link routes of the main table, so that the local network stays reachable beside a default route
    /// through the tunnel. Call again when the host's network changes.
    void sync_link_scope_routes();

private:
    TunInterface(Netlink netlink, std::string name, unsigned index);

    void install_rules(net::Family family);
    void flush_table(std::uint32_t table);
    [[nodiscard]] Route route_to(const net::IpNetwork& network) const;

    Netlink netlink_;
    std::string name_;
    unsigned index_;
    std::set<net::IpNetwork> routes_;
};

}  // namespace culvert::io
