#pragma once

#include <map>
#include <optional>
#include <span>

#include "culvert/base/time.h"
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
    /// Until kOfflineTime has passed: nobody tells when a site is back.
    bool set_offline(std::span<const portal_api::Site> sites, Instant now);
    bool handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    [[nodiscard]] ResourceStatus of(std::span<const portal_api::Site> sites) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<GatewayId, SiteId> sites_;
    struct Entry {
        ResourceStatus status = ResourceStatus::kUnknown;
        std::optional<Instant> until;  // unset: until something happens
    };
    std::map<SiteId, Entry> statuses_;  // absent: unknown
};

}  // namespace culvert::tunnel
