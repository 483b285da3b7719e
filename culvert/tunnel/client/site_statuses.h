#pragma once

#include <map>
#include <optional>
#include <span>

#include "culvert/base/uuid.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/client/resource_view.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// What users are told about sites, and through them about resources (spec/tunnel.md section 3.14).
class SiteStatuses {
public:
    /// Remembered for ever: a status may change long after the connection that told us the site is gone.
    void set_site(const GatewayId& gateway, const SiteId& site);

    // Each returns whether anything changed. Gateways whose site was never told are ignored.
    bool set_online(const GatewayId& gateway);
    bool set_unknown(const GatewayId& gateway);
    bool set_offline(std::span<const portal_api::Site> sites);

    [[nodiscard]] ResourceStatus of(std::span<const portal_api::Site> sites) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<GatewayId, SiteId> sites_;
    std::map<SiteId, ResourceStatus> statuses_;  // absent: unknown
};

}  // namespace culvert::tunnel
