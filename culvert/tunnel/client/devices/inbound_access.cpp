#include "culvert/tunnel/client/devices/inbound_access.h"

#include <algorithm>
#include <iterator>

namespace culvert::tunnel {

void InboundAccess::allow(const ClientId& client, const portal_api::PoolGrant& pool, Expiry expires_at) {
    auto& known = clients_[client];
    known.pools.insert_or_assign(pool.id, Terms{pool.filters, expires_at});
    unite_filters(known);
}

bool InboundAccess::revoke(const ClientId& client, const ResourceId& pool) {
    return !revoke_if([&](const Grant& grant, const Terms&) { return grant == Grant{client, pool}; }).empty();
}

std::vector<InboundAccess::Grant> InboundAccess::retain(std::span<const portal_api::Authorization> listed) {
    std::map<Grant, UnixSeconds> kept;
    for (const auto& authorization : listed) {
        kept.insert_or_assign({authorization.client_id, authorization.resource_id}, authorization.expires_at);
    }
    auto revoked = revoke_if([&](const Grant& grant, const Terms&) { return !kept.contains(grant); });
    for (auto& [client, known] : clients_) {
        for (auto& [pool, terms] : known.pools) {
            terms.expires_at = kept.at({client, pool});
        }
    }
    return revoked;
}

std::vector<InboundAccess::Grant> InboundAccess::revoke_expired(UnixSeconds wall_now) {
    return revoke_if(
        [&](const Grant&, const Terms& terms) { return terms.expires_at && *terms.expires_at <= wall_now; });
}

bool InboundAccess::update_filters(const portal_api::PoolGrant& pool) {
    bool is_held = false;
    for (auto& [client, known] : clients_) {
        if (const auto terms = known.pools.find(pool.id); terms != known.pools.end()) {
            terms->second.filters = pool.filters;
            unite_filters(known);
            is_held = true;
        }
    }
    return is_held;
}

std::optional<Refusal> InboundAccess::check(const ClientId& client, const Service& service) const {
    const auto known = clients_.find(client);
    return known == clients_.end() ? std::optional{Refusal::kNoFilter} : known->second.permitted.check(service);
}

bool InboundAccess::has(const ClientId& client, const ResourceId& pool) const {
    const auto known = clients_.find(client);
    return known != clients_.end() && known->second.pools.contains(pool);
}

std::optional<ResourceId> InboundAccess::pool_for(const ClientId& client, const Service& service) const {
    const auto known = clients_.find(client);
    if (known == clients_.end()) {
        return std::nullopt;
    }
    const auto pool = std::ranges::find_if(known->second.pools, [&](const auto& entry) {
        FilterSet permitted;
        permitted.add(entry.second.filters);
        return !permitted.check(service);
    });
    return pool == known->second.pools.end() ? std::nullopt : std::optional{pool->first};
}

void InboundAccess::unite_filters(Client& client) {
    client.permitted = {};
    for (const auto& [pool, terms] : client.pools) {
        client.permitted.add(terms.filters);
    }
}

template <typename Predicate>
std::vector<InboundAccess::Grant> InboundAccess::revoke_if(Predicate is_over) {
    std::vector<Grant> revoked;
    for (auto entry = clients_.begin(); entry != clients_.end();) {
        auto& [client, known] = *entry;
        const auto before = revoked.size();
        std::erase_if(known.pools, [&, id = client](const auto& pool) {
            const Grant grant{id, pool.first};
            if (!is_over(grant, pool.second)) {
                return false;
            }
            revoked.push_back(grant);
            return true;
        });
        if (revoked.size() > before) {
            unite_filters(known);
        }
        entry = known.pools.empty() ? clients_.erase(entry) : std::next(entry);
    }
    return revoked;
}

}  // namespace culvert::tunnel
