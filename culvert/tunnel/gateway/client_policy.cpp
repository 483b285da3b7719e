#include "culvert/tunnel/gateway/client_policy.h"

#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/tunnel/address_ranges.h"

namespace culvert::tunnel {
namespace {

using portal_api::GatewayCidrResource;
using portal_api::GatewayDnsResource;
using portal_api::GatewayInternetResource;
using portal_api::GatewayResource;

constexpr log::Logger kLog{"tunnel"};

bool is_only_around_platform(const net::IpNetwork& network, const net::IpAddress& address) {
    const auto* platform = platform_range(address);
    return platform != nullptr && network.prefix() < platform->prefix();
}

bool have_one_address(const GatewayResource& a, const GatewayResource& b) {
    return std::visit(
        overloaded{
            [](const GatewayCidrResource& x, const GatewayCidrResource& y) { return x.address == y.address; },
            [](const GatewayDnsResource& x, const GatewayDnsResource& y) { return x.address == y.address; },
            [](const GatewayInternetResource&, const GatewayInternetResource&) { return true; },
            [](const auto&, const auto&) { return false; },
        },
        a, b);
}

}  // namespace

const ResourceId& id_of(const GatewayResource& resource) {
    return std::visit([](const auto& any) -> const ResourceId& { return any.id; }, resource);
}

bool ClientPolicy::allow(const GatewayResource& resource, Expiry expires_at) {
    const auto known = resources_.find(id_of(resource));
    const bool is_moved = known != resources_.end() && !have_one_address(known->second.resource, resource);
    resources_.insert_or_assign(id_of(resource), Grant{resource, expires_at});
    rebuild_rules();
    if (std::holds_alternative<GatewayDnsResource>(resource) && !names_.contains(id_of(resource))) {
        kLog.warn("A resource has no names: its address is no pattern", log::field("rid", id_of(resource)));
    }
    return is_moved;
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
    const bool is_updated =
        std::visit(overloaded{
                       [](GatewayCidrResource& ours, const GatewayCidrResource& theirs) {
                           ours.filters = theirs.filters;
                           return true;
                       },
                       [](GatewayDnsResource& ours, const GatewayDnsResource& theirs) {
                           ours.filters = theirs.filters;
                           return true;
                       },
                       [](GatewayInternetResource&, const GatewayInternetResource&) { return true; },  // has no filters
                       [](auto&, const auto&) { return false; },
                   },
                   known->second.resource, resource);
    if (!is_updated) {
        return std::unexpected{UpdateError::kTypeChanged};
    }
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
    auto refusal = Refusal::kNoFilter;
    if (const auto match = rules_.match(address); match && !is_only_around_platform(match->network, address)) {
        const auto filtered = match->value->filters.check(service);
        if (!filtered) {
            return match->value->resource;
        }
        refusal = *filtered;
    }
    if (internet_ && is_internet(address)) {
        return *internet_;
    }
    if (internet_ && refusal == Refusal::kNoFilter && !is_tunnel_address(address)) {
        refusal = Refusal::kPrivateAddress;
    }
    return std::unexpected{refusal};
}

bool ClientPolicy::is_internet(const net::IpAddress& address) const {
    return !is_private(address) && (host_addresses_ == nullptr || !host_addresses_->contains(address)) &&
           platform_range(address) == nullptr;
}

std::expected<void, Refusal> ClientPolicy::check(const ResourceId& dns_resource, const Service& service) const {
    const auto rule = names_.find(dns_resource);
    if (rule == names_.end()) {
        return std::unexpected{Refusal::kNoFilter};
    }
    if (const auto refusal = rule->second.filters.check(service)) {
        return std::unexpected{*refusal};
    }
    return {};
}

bool ClientPolicy::covers(const ResourceId& dns_resource, const dns::Name& name) const {
    const auto rule = names_.find(dns_resource);
    return rule != names_.end() && rule->second.pattern.matches(name);
}

void ClientPolicy::rebuild_rules() {
    names_.clear();
    internet_.reset();
    std::map<net::IpNetwork, std::vector<const GatewayCidrResource*>> by_network;
    std::map<net::Family, std::set<unsigned>> prefixes;
    for (const auto& [id, grant] : resources_) {
        if (const auto* cidr = std::get_if<GatewayCidrResource>(&grant.resource)) {
            by_network[cidr->address].push_back(cidr);
            prefixes[cidr->address.family()].insert(cidr->address.prefix());
        } else if (const auto* dns = std::get_if<GatewayDnsResource>(&grant.resource)) {
            add_names(*dns);
        } else {
            internet_ = id;
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

void ClientPolicy::add_names(const GatewayDnsResource& resource) {
    auto pattern = dns::Pattern::parse(resource.address);
    if (!pattern) {
        return;
    }
    NameRule rule{.filters = {}, .pattern = std::move(*pattern)};
    rule.filters.add(resource.filters);
    names_.emplace(resource.id, std::move(rule));
}

}  // namespace culvert::tunnel
