#pragma once

#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/filter_set.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// What other clients may do with this one: by the pools that it is in and that they may use, until when
/// (spec/newer-dialect.md section 12.3). Outlives connections, to the portal and to the other clients.
class InboundAccess {
public:
    /// Unset means never.
    using Expiry = std::optional<UnixSeconds>;
    using Grant = std::pair<ClientId, ResourceId>;

    /// A pool that was granted before takes the new filters and the new expiry.
    void allow(const ClientId& client, const portal_api::PoolGrant& pool, Expiry expires_at);
    bool revoke(const ClientId& client, const ResourceId& pool);
    /// Revokes whatever the client has.
    bool revoke_all(const ClientId& client) { return clients_.erase(client) != 0; }
    /// Revokes what is not in `listed`, and takes the expiries of the rest; returns what was revoked.
    std::vector<Grant> retain(std::span<const portal_api::Authorization> listed);
    /// Revokes what has expired by `wall_now`; returns it.
    std::vector<Grant> revoke_expired(UnixSeconds wall_now);
    /// Of all who have the pool. Whether anybody has.
    bool update_filters(const portal_api::PoolGrant& pool);

    [[nodiscard]] bool empty() const { return clients_.empty(); }
    [[nodiscard]] bool has_any(const ClientId& client) const { return clients_.contains(client); }
    [[nodiscard]] bool has(const ClientId& client, const ResourceId& pool) const;
    /// Whether the client may use the service of ours. nullopt: yes.
    [[nodiscard]] std::optional<Refusal> check(const ClientId& client, const Service& service) const;
    /// By which pool, if there is one.
    [[nodiscard]] std::optional<ResourceId> pool_for(const ClientId& client, const Service& service) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Terms {
        std::vector<portal_api::Filter> filters;
        Expiry expires_at;
    };
    struct Client {
        std::map<ResourceId, Terms> pools;
        /// Of all of them.
        FilterSet permitted;
    };

    static void unite_filters(Client& client);
    template <typename Predicate>
    std::vector<Grant> revoke_if(Predicate is_over);

    /// Who has nothing left is not kept.
    std::map<ClientId, Client> clients_;
};

}  // namespace culvert::tunnel
