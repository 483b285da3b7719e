// The part of the storage in memory that holds flows.

#include <algorithm>

#include "culvert/portal/memory_storage.h"

namespace culvert::portal {

bool MemoryStorage::insert(const Flow& flow, const PolicyConditions& met) {
    if (rows_.flows.contains(flow.id) || !cites_existing_rows(flow) || !is_granted(flow, met)) {
        return false;
    }
    std::erase_if(rows_.flows, [&](const auto& row) { return supersedes(flow, row.second); });
    rows_.flows.emplace(flow.id, flow);
    return true;
}

std::vector<Flow> MemoryStorage::find_flows(const GatewayId& gateway) {
    std::vector<Flow> flows;
    for (const auto& [id, flow] : rows_.flows) {
        if (flow.gateway == gateway) {
            flows.push_back(flow);
        }
    }
    return flows;
}

bool MemoryStorage::insert(const DeviceFlow& flow, const PolicyConditions& met) {
    if (rows_.device_flows.contains(flow.id) || !cites_existing_rows(flow) || !is_granted(flow, met)) {
        return false;
    }
    std::erase_if(rows_.device_flows, [&](const auto& row) { return supersedes(flow, row.second); });
    rows_.device_flows.emplace(flow.id, flow);
    return true;
}

std::vector<DeviceFlow> MemoryStorage::find_device_flows(const ClientId& device) {
    std::vector<DeviceFlow> flows;
    for (const auto& [id, flow] : rows_.device_flows) {
        if (flow.device == device) {
            flows.push_back(flow);
        }
    }
    return flows;
}

bool MemoryStorage::erase_flows_except(const ClientId& client, const std::set<PolicyId>& granting) {
    const auto is_lost = [&](const auto& row) {
        return row.second.client == client && !granting.contains(row.second.policy);
    };
    return std::erase_if(rows_.flows, is_lost) + std::erase_if(rows_.device_flows, is_lost) > 0;
}

void MemoryStorage::erase_expired_flows(UnixSeconds now) {
    const auto is_over = [&](const auto& row) { return row.second.expires_at <= now; };
    std::erase_if(rows_.flows, is_over);
    std::erase_if(rows_.device_flows, is_over);
}

bool MemoryStorage::cites_existing_rows(const Flow& flow) const {
    return rows_.clients.contains(flow.client) && rows_.gateways.contains(flow.gateway) &&
           rows_.directory.resources.contains(flow.resource) && rows_.directory.policies.contains(flow.policy) &&
           rows_.directory.memberships.contains(flow.membership) && rows_.tokens.contains(flow.token);
}

bool MemoryStorage::is_granted(const Flow& flow, const PolicyConditions& met) const {
    const auto& sites = rows_.directory.resources.at(flow.resource).sites;
    return has_grant(flow, met) && !rows_.revoked.contains(flow.gateway.uuid()) &&
           std::ranges::count(sites, rows_.gateways.at(flow.gateway).site) > 0;
}

bool MemoryStorage::cites_existing_rows(const DeviceFlow& flow) const {
    return rows_.clients.contains(flow.client) && rows_.clients.contains(flow.device) &&
           rows_.directory.resources.contains(flow.resource) && rows_.directory.policies.contains(flow.policy) &&
           rows_.directory.memberships.contains(flow.membership) && rows_.tokens.contains(flow.token);
}

bool MemoryStorage::is_granted(const DeviceFlow& flow, const PolicyConditions& met) const {
    return has_grant(flow, met) && !rows_.revoked.contains(flow.device.uuid()) &&
           is_member(rows_.directory.resources.at(flow.resource), rows_.clients.at(flow.device));
}

bool MemoryStorage::is_member(const Resource& pool, const Client& client) {
    return std::ranges::count(pool.members, PoolMember{client.actor, client.external_id}) > 0;
}

template <typename Row>
bool MemoryStorage::has_grant(const Row& flow, const PolicyConditions& met) const {
    const auto& policy = rows_.directory.policies.at(flow.policy);
    const auto& membership = rows_.directory.memberships.at(flow.membership);
    return !rows_.revoked.contains(flow.client.uuid()) && !policy.is_disabled && policy.conditions == met &&
           policy.resource == flow.resource && policy.group == membership.group &&
           membership.actor == rows_.clients.at(flow.client).actor;
}

Directory MemoryStorage::load_directory() {
    auto directory = rows_.directory;
    for (const auto& [id, client] : rows_.clients) {
        const auto is_named = [&, &one = client](const auto& row) { return is_member(row.second, one); };
        if (!rows_.revoked.contains(id.uuid()) && std::ranges::any_of(directory.resources, is_named)) {
            directory.pool_clients.emplace(PoolMember{client.actor, client.external_id},
                                           PoolClient{client.id, client.ipv4, client.ipv6});
        }
    }
    return directory;
}

}  // namespace culvert::portal
