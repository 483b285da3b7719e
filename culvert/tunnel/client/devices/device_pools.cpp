#include "culvert/tunnel/client/devices/device_pools.h"

#include <algorithm>

#include "culvert/tunnel/address_ranges.h"

namespace culvert::tunnel {

void DevicePools::upsert(const portal_api::DevicePool& pool) {
    auto& known = pools_[pool.id];
    known = {};
    known.filters.add(pool.filters);
    for (const auto& device : pool.devices) {
        for (const auto& address : {device.ipv4, device.ipv6}) {
            if (is_peer_address(address)) {
                known.devices.emplace(address, device.client_id);
            }
        }
    }
    rebuild_places();
}

bool DevicePools::erase(const ResourceId& id) {
    if (pools_.erase(id) == 0) {
        return false;
    }
    rebuild_places();
    return true;
}

std::vector<ResourceId> DevicePools::ids_except(const std::set<ResourceId>& keep) const {
    std::vector<ResourceId> ids;
    for (const auto& [id, pool] : pools_) {
        if (!keep.contains(id)) {
            ids.push_back(id);
        }
    }
    return ids;
}

std::optional<ClientId> DevicePools::device_at(const net::IpAddress& address) const {
    const auto place = places_.find(address);
    return place == places_.end() ? std::nullopt : std::optional{place->second.device};
}

bool DevicePools::has_device(const ResourceId& pool, const ClientId& device) const {
    const auto found = pools_.find(pool);
    return found != pools_.end() && std::ranges::any_of(found->second.devices, [&](const auto& entry) {
               return entry.second == device && device_at(entry.first) == device;
           });
}

std::optional<std::variant<DevicePools::Way, Refusal>> DevicePools::find_way(
    const net::IpAddress& address, const Service& service, const std::set<ResourceId>& preferred) const {
    const auto place = places_.find(address);
    if (place == places_.end()) {
        return std::nullopt;
    }
    std::optional<ResourceId> first;
    auto refusal = Refusal::kNoFilter;
    for (const auto& id : place->second.pools) {
        if (const auto refused = pools_.at(id).filters.check(service)) {
            refusal = *refused;
        } else if (preferred.contains(id)) {
            return Way{place->second.device, id};
        } else if (!first) {
            first = id;
        }
    }
    return first ? std::variant<Way, Refusal>{Way{place->second.device, *first}} : refusal;
}

std::vector<net::IpAddress> DevicePools::addresses() const {
    std::vector<net::IpAddress> addresses;
    for (const auto& [address, place] : places_) {
        addresses.push_back(address);
    }
    return addresses;
}

void DevicePools::rebuild_places() {
    places_.clear();
    for (const auto& [id, pool] : pools_) {
        for (const auto& [address, device] : pool.devices) {
            auto& place = places_.try_emplace(address, Place{device, {}}).first->second;
            if (place.device == device) {
                place.pools.insert(id);
            }
        }
    }
}

}  // namespace culvert::tunnel
