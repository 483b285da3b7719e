#include "culvert/tunnel/client/gateway_peers.h"

#include <algorithm>
#include <cassert>

#include "culvert/tunnel/address_ranges.h"

namespace culvert::tunnel {

void GatewayPeers::add(const GatewayId& gateway, const net::IpAddress& ipv4, const net::IpAddress& ipv6) {
    peers_.try_emplace(gateway, Peer{ipv4, ipv6, {}});
}

bool GatewayPeers::remove(const GatewayId& gateway) {
    std::erase_if(gateways_, [&](const auto& assignment) { return assignment.second == gateway; });
    return peers_.erase(gateway) != 0;
}

void GatewayPeers::clear() {
    peers_.clear();
    gateways_.clear();
}

void GatewayPeers::assign(const ResourceId& resource, const GatewayId& gateway,
                          std::span<const net::IpNetwork> networks) {
    assert(contains(gateway));
    if (gateway_of(resource) != gateway) {
        unassign(resource);
    }
    gateways_.insert_or_assign(resource, gateway);

    auto& allowed_ips = peers_.at(gateway).allowed_ips;
    for (const auto& network : networks) {
        if (auto* resources = allowed_ips.find(network)) {
            resources->insert(resource);
        } else {
            allowed_ips.insert(network, {resource});
        }
    }
}

bool GatewayPeers::unassign(const ResourceId& resource) {
    const auto assignment = gateways_.find(resource);
    if (assignment == gateways_.end()) {
        return false;
    }
    auto& allowed_ips = peers_.at(assignment->second).allowed_ips;
    std::vector<net::IpNetwork> served;
    allowed_ips.for_each([&](const net::IpNetwork& network, const std::set<ResourceId>& resources) {
        if (resources.contains(resource)) {
            served.push_back(network);
        }
    });
    for (const auto& network : served) {
        auto& resources = *allowed_ips.find(network);
        resources.erase(resource);
        if (resources.empty()) {
            allowed_ips.erase(network);
        }
    }
    gateways_.erase(assignment);
    return true;
}

std::vector<GatewayId> GatewayPeers::unused() const {
    std::vector<GatewayId> ids;
    for (const auto& [id, peer] : peers_) {
        if (std::ranges::none_of(gateways_, [&](const auto& assignment) { return assignment.second == id; })) {
            ids.push_back(id);
        }
    }
    return ids;
}

std::vector<GatewayId> GatewayPeers::ids() const {
    std::vector<GatewayId> ids;
    for (const auto& [id, peer] : peers_) {
        ids.push_back(id);
    }
    return ids;
}

std::vector<ResourceId> GatewayPeers::resources_of(const GatewayId& gateway) const {
    std::vector<ResourceId> resources;
    for (const auto& [resource, served_by] : gateways_) {
        if (served_by == gateway) {
            resources.push_back(resource);
        }
    }
    return resources;
}

std::optional<GatewayId> GatewayPeers::gateway_of(const ResourceId& resource) const {
    const auto assignment = gateways_.find(resource);
    return assignment == gateways_.end() ? std::nullopt : std::optional{assignment->second};
}

std::optional<GatewayId> GatewayPeers::find_by_address(const net::IpAddress& address) const {
    for (const auto& [id, peer] : peers_) {
        if (peer.ipv4 == address || peer.ipv6 == address) {
            return id;
        }
    }
    return std::nullopt;
}

bool GatewayPeers::may_send_from(const GatewayId& gateway, const net::IpAddress& source) const {
    const auto peer = peers_.find(gateway);
    if (peer == peers_.end()) {
        return false;
    }
    const bool is_its_own = peer->second.ipv4 == source || peer->second.ipv6 == source;
    return is_its_own || (!is_tunnel_address(source) && peer->second.allowed_ips.match(source).has_value());
}

}  // namespace culvert::tunnel
