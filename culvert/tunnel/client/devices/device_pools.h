#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/filter_set.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The pools that this client may use: which device has an address, and for which services which pool lets us reach it
/// (spec/newer-dialect.md sections 5.5 and 12.3). Devices have addresses of the tunnel; what a portal says of others is
/// ignored, so that no pool draws traffic to itself that is somebody else's.
class DevicePools {
public:
    /// Adds the pool, or takes its new devices and filters.
    void upsert(const portal_api::DevicePool& pool);
    bool erase(const ResourceId& id);
    [[nodiscard]] bool contains(const ResourceId& id) const { return pools_.contains(id); }
    /// The ids that are not in `keep`, in ascending order.
    [[nodiscard]] std::vector<ResourceId> ids_except(const std::set<ResourceId>& keep) const;

    /// The device with this address.
    [[nodiscard]] std::optional<ClientId> device_at(const net::IpAddress& address) const;
    /// Whether the device is in the pool.
    [[nodiscard]] bool has_device(const ResourceId& pool, const ClientId& device) const;

    /// How to get to a service of the device with an address.
    struct Way {
        ClientId device;
        ResourceId pool;

        friend bool operator==(const Way&, const Way&) = default;
    };
    /// Through a pool of `preferred` if one of those permits it. A refusal if the device is in pools but none permits
    /// it; nullopt if no device has the address.
    [[nodiscard]] std::optional<std::variant<Way, Refusal>> find_way(const net::IpAddress& address,
                                                                     const Service& service,
                                                                     const std::set<ResourceId>& preferred) const;

    /// The addresses of all devices, in ascending order.
    [[nodiscard]] std::vector<net::IpAddress> addresses() const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Pool {
        FilterSet filters;
        std::map<net::IpAddress, ClientId> devices;
    };
    struct Place {
        ClientId device;
        std::set<ResourceId> pools;
    };

    void rebuild_places();

    std::map<ResourceId, Pool> pools_;
    /// By address. If two pools disagree whose it is, the one with the lower id is right.
    std::map<net::IpAddress, Place> places_;
};

}  // namespace culvert::tunnel
