#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/prefix_table.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/filter_set.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

[[nodiscard]] const ResourceId& id_of(const portal_api::GatewayResource& resource);

/// Whether this gateway can serve resources of that type.
[[nodiscard]] bool is_supported(const portal_api::GatewayResource& resource);

/// What one client may reach through this gateway, until when (spec/tunnel.md sections 6.1 to 6.3).
class ClientPolicy {
public:
    /// Unset means never.
    using Expiry = std::optional<UnixSeconds>;

    /// Grants access; a resource granted before takes the new filters and the new expiry.
    /// Requires is_supported(resource).
    void allow(const portal_api::GatewayResource& resource, Expiry expires_at);
    bool revoke(const ResourceId& id);
    /// Revokes all but the resources in `listed`; returns what was revoked, in ascending order.
    std::vector<ResourceId> retain(const std::set<ResourceId>& listed);
    /// Revokes what has expired by `wall_now`; returns it, in ascending order.
    std::vector<ResourceId> revoke_expired(UnixSeconds wall_now);

    enum class UpdateError { kUnknown, kTypeChanged };
    /// Replaces the filters; the address of a resource never changes this way.
    std::expected<void, UpdateError> update_filters(const portal_api::GatewayResource& resource);
    /// The expiry until now.
    std::expected<Expiry, UpdateError> update_expiry(const ResourceId& id, UnixSeconds expires_at);

    [[nodiscard]] bool empty() const { return resources_.empty(); }
    [[nodiscard]] bool contains(const ResourceId& id) const { return resources_.contains(id); }

    /// The resource that traffic between the client and `service` at `address` belongs to, if it is permitted.
    [[nodiscard]] std::expected<ResourceId, Refusal> classify(const net::IpAddress& address,
                                                              const Service& service) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Grant {
        portal_api::GatewayResource resource;
        Expiry expires_at;
    };
    struct Rule {
        FilterSet filters;
        ResourceId resource;
    };

    template <typename Predicate>
    std::vector<ResourceId> revoke_if(Predicate is_over);
    void rebuild_rules();

    std::map<ResourceId, Grant> resources_;
    net::PrefixTable<Rule> rules_;
};

}  // namespace culvert::tunnel
