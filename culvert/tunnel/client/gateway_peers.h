#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/prefix_table.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The gateways that a client has a connection to, which resources each serves and which source addresses it may
/// therefore use (spec/tunnel.md sections 3.1, 3.6, 3.8).
class GatewayPeers {
public:
    /// Adds the gateway unless it is there already.
    void add(const GatewayId& gateway, const net::IpAddress& ipv4, const net::IpAddress& ipv6);
    /// Forgets the gateway and that it serves any resource. False if it was unknown.
    bool remove(const GatewayId& gateway);
    void clear();

    /// Lets `gateway` serve `resource` with `networks`, which may be none; a gateway that served it before no longer
    /// does. Requires contains(gateway).
    void assign(const ResourceId& resource, const GatewayId& gateway, std::span<const net::IpNetwork> networks);
    /// Ends the assignment of `resource`. False if it had none.
    bool unassign(const ResourceId& resource);

    /// The gateways that serve nothing any more.
    [[nodiscard]] std::vector<GatewayId> unused() const;
    [[nodiscard]] std::vector<GatewayId> ids() const;
    /// What the gateway serves.
    [[nodiscard]] std::vector<ResourceId> resources_of(const GatewayId& gateway) const;

    [[nodiscard]] bool contains(const GatewayId& gateway) const { return peers_.contains(gateway); }
    [[nodiscard]] std::optional<GatewayId> gateway_of(const ResourceId& resource) const;
    /// The gateway with exactly this TUN address.
    [[nodiscard]] std::optional<GatewayId> find_by_address(const net::IpAddress& address) const;
    /// Whether packets from `gateway` may carry this source address: its own, or one of a network that it serves.
    /// Addresses of the tunnel are in no network. False for unknown gateways.
    [[nodiscard]] bool may_send_from(const GatewayId& gateway, const net::IpAddress& source) const;

    [[nodiscard]] const std::map<ResourceId, GatewayId>& assignments() const { return gateways_; }
    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Peer {
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        net::PrefixTable<std::set<ResourceId>> allowed_ips;
    };

    std::map<GatewayId, Peer> peers_;
    std::map<ResourceId, GatewayId> gateways_;
};

}  // namespace culvert::tunnel
