#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "culvert/portal/directory.h"
#include "culvert/portal/session.h"
#include "culvert/portal/version.h"
#include "culvert/portal_api/messages.h"

/// Pools of devices as clients see them (spec/newer-dialect.md sections 2.4, 5.5 and 12).
namespace culvert::portal {

/// All pools of a directory. Each is made once, however many clients know of it, and stays the same object for as long
/// as nothing about it changes.
class PoolViews {
public:
    explicit PoolViews(const Directory& directory) { update(directory); }

    void update(const Directory& directory);
    /// Those that a client of the actor may use.
    [[nodiscard]] SharedPools usable(const Directory& directory, const ActorId& actor, const ClientFacts& facts,
                                     TimeWindows& windows) const;

private:
    SharedPools pools_;
};

/// Whether any pool names the device.
[[nodiscard]] bool is_named_by_pool(const Directory& directory, const PoolMember& member);

/// What holders of a grant may do with the devices of a pool.
[[nodiscard]] portal_api::PoolGrant to_grant(const Resource& pool);

/// The one device whose address was asked for; or why there is none.
[[nodiscard]] std::expected<portal_api::PoolDevice, portal_api::DeviceAccessRefusal> find_device(
    const portal_api::DevicePool& pool, const portal_api::CreateFlow& request);

/// What has changed for a client, in the order in which it is to be told.
struct PoolChanges {
    /// Devices that no pool leads to any more, although the pool that did is still there.
    std::vector<portal_api::PoolDevice> lost_devices;
    std::vector<ResourceId> deleted;
    std::vector<portal_api::DevicePool> updated;
};
[[nodiscard]] PoolChanges compare(const SharedPools& before, const SharedPools& after);

}  // namespace culvert::portal
