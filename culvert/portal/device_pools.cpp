#include "culvert/portal/device_pools.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "culvert/portal/resource_view.h"

namespace culvert::portal {
namespace {

using portal_api::DeviceAccessRefusal;
using portal_api::DevicePool;
using portal_api::PoolDevice;

DevicePool to_pool(const Resource& resource, const Directory& directory) {
    DevicePool pool{.id = resource.id, .name = resource.name, .filters = wire_filters(resource), .devices = {}};
    for (const auto& member : resource.members) {
        if (const auto client = directory.pool_clients.find(member); client != directory.pool_clients.end()) {
            const auto& [id, ipv4, ipv6] = client->second;
            pool.devices.push_back({id, ipv4, ipv6});
        }
    }
    return pool;
}

bool has_device(const DevicePool& pool, const ClientId& device) {
    return std::ranges::find(pool.devices, device, &PoolDevice::client_id) != pool.devices.end();
}

}  // namespace

void PoolViews::update(const Directory& directory) {
    auto before = std::exchange(pools_, {});
    for (const auto& [id, resource] : directory.resources) {
        if (resource.type != ResourceType::kStaticDevicePool) {
            continue;
        }
        auto pool = to_pool(resource, directory);
        const auto known = before.find(id);
        pools_.emplace(id, known != before.end() && *known->second == pool
                               ? std::move(known->second)
                               : std::make_shared<const DevicePool>(std::move(pool)));
    }
}

SharedPools PoolViews::usable(const Directory& directory, const ActorId& actor, const ClientFacts& facts,
                              TimeWindows& windows) const {
    SharedPools usable;
    std::ranges::copy_if(pools_, std::inserter(usable, usable.end()), [&](const auto& pool) {
        return !find_grants(directory, actor, facts, pool.first, windows).empty();
    });
    return usable;
}

bool is_named_by_pool(const Directory& directory, const PoolMember& member) {
    return std::ranges::any_of(directory.resources, [&](const auto& entry) {
        return std::ranges::binary_search(entry.second.members, member);
    });
}

portal_api::PoolGrant to_grant(const Resource& pool) {
    return {pool.id, wire_filters(pool)};
}

std::expected<PoolDevice, DeviceAccessRefusal> find_device(const DevicePool& pool,
                                                           const portal_api::CreateFlow& request) {
    if (request.ipv4 && request.ipv6) {
        return std::unexpected{DeviceAccessRefusal::kAmbiguousAddress};
    }
    if (!request.ipv4 && !request.ipv6) {
        return std::unexpected{DeviceAccessRefusal::kMissingAddress};
    }
    const auto address = net::IpAddress::parse(request.ipv4 ? *request.ipv4 : *request.ipv6);
    if (!address || address->is_v4() != request.ipv4.has_value()) {
        return std::unexpected{DeviceAccessRefusal::kInvalidAddress};
    }
    const auto device = std::ranges::find_if(
        pool.devices, [&](const PoolDevice& each) { return each.ipv4 == *address || each.ipv6 == *address; });
    if (device == pool.devices.end()) {
        return std::unexpected{DeviceAccessRefusal::kForbidden};
    }
    return *device;
}

PoolChanges compare(const SharedPools& before, const SharedPools& after) {
    PoolChanges changes;
    std::set<ClientId> lost;
    for (const auto& [id, pool] : before) {
        const auto now = after.find(id);
        if (now == after.end()) {
            changes.deleted.push_back(id);
            continue;
        }
        if (now->second == pool) {
            continue;  // the same object
        }
        for (const auto& device : pool->devices) {
            const bool is_reachable = std::ranges::any_of(
                after, [&](const auto& entry) { return has_device(*entry.second, device.client_id); });
            if (!is_reachable && lost.insert(device.client_id).second) {
                changes.lost_devices.push_back(device);
            }
        }
    }
    for (const auto& [id, pool] : after) {
        const auto known = before.find(id);
        if (known == before.end() || (known->second != pool && *known->second != *pool)) {
            changes.updated.push_back(*pool);
        }
    }
    return changes;
}

}  // namespace culvert::portal
