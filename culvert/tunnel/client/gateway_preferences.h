#pragma once

#include <deque>
#include <map>
#include <span>
#include <vector>

#include "culvert/base/uuid.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The gateways that were authorized in this session, and by which of them the portal should let a resource be reached.
/// Outlives connections and networks. Source: spec/newer-dialect.md section 6.2.
class GatewayPreferences {
public:
    /// `gateway` was authorized for `resource`. Of all gateways the one that was authorized longest ago falls off at
    /// kRecentGateways; more resources than kRememberedResources are not remembered.
    void note(const ResourceId& resource, const GatewayId& gateway);

    /// The gateway last authorized for `resource`, then those that are `connected`, then the others, each by id.
    [[nodiscard]] std::vector<GatewayId> for_resource(const ResourceId& resource,
                                                      std::span<const GatewayId> connected) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<ResourceId, GatewayId> last_;
    /// The newest first.
    std::deque<GatewayId> gateways_;
};

}  // namespace culvert::tunnel
