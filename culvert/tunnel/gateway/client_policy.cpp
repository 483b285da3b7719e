#include "culvert/tunnel/gateway/client_policy.h"

#include <cassert>
#include <utility>
#include <variant>

#include "culvert/tunnel/address_ranges.h"

namespace culvert::tunnel {
namespace {

using portal_api::GatewayCidrResource;
using portal_api::GatewayResource;

bool is_only_around_link_local(const net::IpNetwork& network, const net::IpAddress& address) {
    const auto& link_local = link_local_range();
    return address.is_v4() && link_local.contains(address) && network.prefix() < link_local.prefix();
}

}  // namespace

const ResourceId& id_of(const GatewayResource& resource) {
    return std::visit([](const auto& any) -> const ResourceId& { return any.id; }, resource);
}

bool is_supported(const GatewayResource& resource) {
    return std::holds_alternative<GatewayCidrResource>(resource);
}

void ClientPolicy::allow(const GatewayResource& resource, Expiry expires_at) {
    assert(is_supported(resource));
    resources_.insert_or_assign(id_of(resource), Grant{resource, expires_at});
    rebuild_rules();
}

bool ClientPolicy::revoke(const ResourceId& id) {
    if (resources_.erase(id) == 0) {
        return false;
    }
    rebuild_rules();
    return true;
}

std::vector<ResourceId> ClientPolicy::retain(const std::set<ResourceId>& listed) {
    return revoke_if([&](const ResourceId& id, const Grant&) { return !listed.contains(id); });
}

std::vector<ResourceId> ClientPolicy::revoke_expired(UnixSeconds wall_now) {
    return revoke_if(
        [&](const ResourceId&, const Grant& grant) { return grant.expires_at && *grant.expires_at <= wall_now; });
}

template <typename Predicate>
std::vector<ResourceId> ClientPolicy::revoke_if(Predicate is_over) {
    std::vector<ResourceId> revoked;
    std::erase_if(resources_, [&](const auto& entry) {
        const auto& [id, grant] = entry;
        const bool is_revoked = is_over(id, grant);
        if (is_revoked) {
            revoked.push_back(id);
        }
        return is_revoked;
    });
    if (!revoked.empty()) {
        rebuild_rules();
    }
    return revoked;
}

std::expected<void, ClientPolicy::UpdateError> ClientPolicy::update_filters(const GatewayResource& resource) {
    const auto known = resources_.find(id_of(resource));
    if (known == resources_.end()) {
        return std::unexpected{UpdateError::kUnknown};
    }
    auto* cidr = std::get_if<GatewayCidrResource>(&known->second.resource);
    const auto* changed = std::get_if<GatewayCidrResource>(&resource);
    if (cidr == nullptr || changed == nullptr) {
        return std::unexpected{UpdateError::kTypeChanged};
    }
    cidr->filters = changed->filters;
    rebuild_rules();
    return {};
}

std::expected<ClientPolicy::Expiry, ClientPolicy::UpdateError> ClientPolicy::update_expiry(const ResourceId& id,
                                                                                           UnixSeconds expires_at) {
    const auto known = resources_.find(id);
    if (known == resources_.end()) {
        return std::unexpected{UpdateError::kUnknown};
    }
    return std::exchange(known->second.expires_at, expires_at);
}

std::expected<ResourceId, Refusal> ClientPolicy::classify(const net::IpAddress& address, const Service& service) const {
    const auto match = rules_.match(address);
    if (!match || is_only_around_link_local(match->network, address)) {
        return std::unexpected{Refusal::kNoFilter};
    }
    if (const auto refusal = match->value->filters.check(service)) {
        return std::unexpected{*refusal};
    }
    return match->value->resource;
}

void ClientPolicy::rebuild_rules() {
    std::map<net::IpNetwork, std::vector<const GatewayCidrResource*>> by_network;
    std::map<net::Family, std::set<unsigned>> prefixes;
    for (const auto& [id, grant] : resources_) {
        if (const auto* cidr = std::get_if<GatewayCidrResource>(&grant.resource)) {
            by_network[cidr->address].push_back(cidr);
            prefixes[cidr->address.family()].insert(cidr->address.prefix());
        }
    }

    rules_.clear();
    for (const auto& [network, resources] : by_network) {
        // resources of one network are in order of their ids; the largest one is in charge
        Rule rule{.filters = {}, .resource = resources.back()->id};
        // the longest match alone decides about a packet, so it inherits what all wider networks permit
        for (const auto prefix : prefixes[network.family()]) {
            if (prefix > network.prefix()) {
                break;
            }
            const auto wider = by_network.find(net::IpNetwork{network.address(), prefix});
            if (wider == by_network.end()) {
                continue;
            }
            for (const auto* contributor : wider->second) {
                rule.filters.add(contributor->filters);
            }
        }
        rules_.insert(network, std::move(rule));
    }
}

}  // namespace culvert::tunnel
