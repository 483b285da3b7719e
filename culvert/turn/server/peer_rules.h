#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"

namespace culvert::turn {

/// Whether an address is one of the public Internet, by the IANA special-purpose address registries (RFC 6890).
[[nodiscard]] bool is_global(const net::IpAddress& address);

/// Where a relay lets its users send, so that it is no way around the firewall it stands behind.
///
/// First match counts:
///   1. Addresses that are nobody's on the Internet are denied, whatever the operator says: loopback, unspecified,
///      "this network", link-local, multicast, broadcast and reserved ones, and IPv6 forms that only wrap an IPv4
///      address.
///   2. The relay's own public addresses: ports of allocations are allowed, since two users of one relay meet there.
///   Its
///      listen port is denied on every address of the host, all other ports unless the operator allows the address.
///   3. What the operator denies.
///   4. What the operator allows.
///   5. Addresses that are not global, which includes private ones: denied if the relay's public address of that family
///      is global. A relay with a private one serves a private network.
/// 6to4 and NAT64 addresses count as the IPv4 address in them.
class PeerRules {
public:
    struct Config {
        /// As advertised to clients.
        std::optional<net::IpAddress> public_v4;
        std::optional<net::IpAddress> public_v6;
        std::uint16_t listen_port = 0;
        /// Of allocations, inclusive.
        std::uint16_t lowest_port = 0;
        std::uint16_t highest_port = 0;
        /// Further addresses of the host.
        std::vector<net::IpAddress> local_addresses;
        std::vector<net::IpNetwork> allowed;
        std::vector<net::IpNetwork> denied;
    };
    explicit PeerRules(Config config) : config_{std::move(config)} {}

    /// Why users may not send to `peer`, or nullopt if they may.
    [[nodiscard]] std::optional<std::string_view> objection(const net::SocketAddress& peer) const;

private:
    [[nodiscard]] bool is_own(const net::IpAddress& address) const;
    /// Whether only the public Internet is served in the address family.
    [[nodiscard]] bool is_strict(net::Family family) const;

    Config config_;
};

}  // namespace culvert::turn
