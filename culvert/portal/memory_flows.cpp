// The part of the storage in memory that holds flows.

#include <algorithm>

#include "culvert/portal/memory_storage.h"

namespace culvert::portal {

bool MemoryStorage::insert(const Flow& flow) {
    if (rows_.flows.contains(flow.id) || !cites_existing_rows(flow) || !is_granted(flow)) {
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

bool MemoryStorage::erase_flows_except(const ClientId& client, const std::set<ResourceId>& reachable) {
    return std::erase_if(rows_.flows, [&](const auto& row) {
               return row.second.client == client && !reachable.contains(row.second.resource);
           }) > 0;
}

void MemoryStorage::erase_expired_flows(UnixSeconds now) {
    std::erase_if(rows_.flows, [&](const auto& row) { return row.second.expires_at <= now; });
}

bool MemoryStorage::cites_existing_rows(const Flow& flow) const {
    return rows_.clients.contains(flow.client) && rows_.gateways.contains(flow.gateway) &&
           rows_.directory.resources.contains(flow.resource) && rows_.directory.policies.contains(flow.policy) &&
           rows_.directory.memberships.contains(flow.membership) && rows_.tokens.contains(flow.token);
}

bool MemoryStorage::is_granted(const Flow& flow) const {
    const auto& policy = rows_.directory.policies.at(flow.policy);
    const auto& membership = rows_.directory.memberships.at(flow.membership);
    const auto& sites = rows_.directory.resources.at(flow.resource).sites;
    return !rows_.revoked.contains(flow.client.uuid()) && !rows_.revoked.contains(flow.gateway.uuid()) &&
           !policy.is_disabled && !policy.has_conditions() && policy.resource == flow.resource &&
           policy.group == membership.group && membership.actor == rows_.clients.at(flow.client).actor &&
           std::ranges::count(sites, rows_.gateways.at(flow.gateway).site) > 0;
}

}  // namespace culvert::portal
