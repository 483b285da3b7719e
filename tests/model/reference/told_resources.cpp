#include "tests/model/reference/told_resources.h"

#include <algorithm>
#include <array>
#include <utility>

#include "culvert/tunnel/address_ranges.h"

namespace culvert::model {
namespace {

/// A request may cross the answer to an earlier one.
constexpr Duration kAnswersTogether = std::chrono::seconds{1};

constexpr std::array kFamilies{net::Family::kIpv4, net::Family::kIpv6};

void add_route(const net::IpNetwork& route, tunnel::TunConfig& config) {
    (route.family() == net::Family::kIpv4 ? config.ipv4_routes : config.ipv6_routes).push_back(route);
}

void tidy(std::vector<net::IpNetwork>& routes) {
    std::ranges::sort(routes);
    const auto rest = std::ranges::unique(routes);
    routes.erase(rest.begin(), rest.end());
}

/// Changes that make it another resource for the data path (section 3.3); site names do not.
bool is_same_to_reach(const ToldResources::Resource& a, const ToldResources::Resource& b) {
    return a.address == b.address &&
           std::ranges::is_permutation(a.sites, b.sites, {}, &portal_api::Site::id, &portal_api::Site::id);
}

}  // namespace

void ToldResources::clear(Instant now) {
    auto removed_at = std::move(removed_at_);
    for (const auto& [id, resource] : resources_) {
        removed_at[id] = now;
    }
    *this = {};
    removed_at_ = std::move(removed_at);
}

void ToldResources::handle(const portal_api::ToClient& message, Instant now) {
    std::visit([&](const auto& alternative) { handle_one(alternative, now); }, message);
}

void ToldResources::handle(const portal_api::FromClient& message, Instant now) {
    if (const auto* ask = std::get_if<portal_api::CreateFlow>(&message)) {
        requests_[ask->resource_id].asked = now;
    }
}

void ToldResources::handle_one(const portal_api::ClientInit& message, Instant now) {
    interface_ = message.interface;
    std::vector<ResourceId> missing;
    for (const auto& [id, resource] : resources_) {
        const bool is_listed = std::ranges::any_of(message.resources, [&](const auto& listed) {
            return std::visit([](const auto& any) { return any.id; }, listed) == id;
        });
        if (!is_listed) {
            missing.push_back(id);
        }
    }
    for (const auto& id : missing) {
        remove(id, now);
    }
    for (const auto& resource : message.resources) {
        add(resource, now);
    }
}

void ToldResources::handle_one(const portal_api::ConfigChanged& message, Instant) {
    interface_ = message.interface;
}

void ToldResources::handle_one(const portal_api::ResourceCreatedOrUpdated& message, Instant now) {
    add(message.resource, now);
}

void ToldResources::handle_one(const portal_api::ResourceDeleted& message, Instant now) {
    remove(message.resource_id, now);
}

void ToldResources::handle_one(const portal_api::FlowCreated& message, Instant now) {
    if (!resources_.contains(message.resource_id)) {
        return;
    }
    // What the portal was asked several times while it or a gateway was away is answered several times; the first
    // answer counts (section 3.10, step 1).
    auto& request = requests_[message.resource_id];
    auto& given = given_[message.resource_id];
    if (request.answered && request.asked && *request.asked > *request.answered + kAnswersTogether) {
        given.clear();  // asked since, so the flow had ended
    }
    given.insert(message.gateway_id);
    const bool may_be_asked_before = request.answered && *request.answered + kAnswersTogether >= now;
    if (request.is_open() && (!may_be_asked_before || !flows_.contains(message.resource_id))) {
        flows_.insert_or_assign(message.resource_id, Flow{message.gateway_id, message.site_id, now});
        request.answered = now;
    }
    gateway_addresses_.insert(message.gateway_ipv4);
    gateway_addresses_.insert(message.gateway_ipv6);
}

void ToldResources::handle_one(const portal_api::FlowCreationFailed& message, Instant now) {
    const auto found = resources_.find(message.resource_id);
    if (message.reason != portal_api::FlowFailure::kOffline || found == resources_.end()) {
        return;
    }
    for (const auto& site : found->second.sites) {
        offline_sites_[site.id] = now;
    }
    end_flow(message.resource_id);
}

void ToldResources::end_flow(const ResourceId& id) {
    flows_.erase(id);
    given_.erase(id);
    requests_.erase(id);
}

void ToldResources::add(const portal_api::ClientResource& resource, Instant now) {
    const auto* cidr = std::get_if<portal_api::ClientCidrResource>(&resource);
    if (cidr == nullptr) {
        return;
    }
    const auto known = resources_.find(cidr->id);
    if (known != resources_.end()) {
        if (known->second == *cidr) {
            return;
        }
        if (!is_same_to_reach(known->second, *cidr)) {
            remove(cidr->id, now);
        }
    }
    resources_[cidr->id] = *cidr;
    told_at_[cidr->id] = now;
}

void ToldResources::remove(const ResourceId& id, Instant now) {
    if (resources_.erase(id) > 0) {
        removed_at_[id] = now;
    }
    end_flow(id);
}

std::optional<Instant> ToldResources::told_at(const ResourceId& id) const {
    return resources_.contains(id) ? std::optional{told_at_.at(id)} : std::nullopt;
}

std::optional<Instant> ToldResources::removed_at(const ResourceId& id) const {
    const auto found = removed_at_.find(id);
    return found == removed_at_.end() ? std::nullopt : std::optional{found->second};
}

std::vector<const ToldResources::Resource*> ToldResources::covering(const net::IpAddress& address) const {
    std::vector<const Resource*> result;
    for (const auto& [id, resource] : resources_) {
        if (resource.address.contains(address)) {
            result.push_back(&resource);
        }
    }
    return result;
}

namespace {

std::vector<const ToldResources::Resource*> narrowest_of(std::vector<const ToldResources::Resource*> resources) {
    unsigned longest = 0;
    for (const auto* resource : resources) {
        longest = std::max(longest, resource->address.prefix());
    }
    std::erase_if(resources, [&](const auto* resource) { return resource->address.prefix() < longest; });
    return resources;
}

}  // namespace

std::vector<const ToldResources::Resource*> ToldResources::candidates(const net::IpAddress& address) const {
    return narrowest_of(covering(address));
}

std::vector<const ToldResources::Resource*> ToldResources::candidates(const net::IpAddress& address,
                                                                      const Service& service) const {
    auto permitting = covering(address);
    std::erase_if(permitting, [&](const Resource* resource) { return !permits(resource->filters, service); });
    return permitting.empty() ? candidates(address) : narrowest_of(std::move(permitting));
}

const ToldResources::Flow* ToldResources::flow(const ResourceId& id) const {
    const auto found = flows_.find(id);
    return found == flows_.end() ? nullptr : &found->second;
}

bool ToldResources::is_given(const ResourceId& id, const GatewayId& gateway) const {
    const auto found = given_.find(id);
    return found != given_.end() && found->second.contains(gateway);
}

std::optional<tunnel::TunConfig> ToldResources::tun_config() const {
    if (!interface_) {
        return std::nullopt;
    }
    tunnel::TunConfig config{.ipv4 = interface_->ipv4,
                             .ipv6 = interface_->ipv6,
                             .ipv4_routes = {},
                             .ipv6_routes = {},
                             .search_domain = interface_->search_domain};
    for (const auto family : kFamilies) {
        add_route(tunnel::peer_range(family), config);
        add_route(tunnel::proxy_range(family), config);
        add_route(tunnel::sentinel_range(family), config);
    }
    for (const auto& [id, resource] : resources_) {
        add_route(resource.address, config);
    }
    tidy(config.ipv4_routes);
    tidy(config.ipv6_routes);
    return config;
}

tunnel::TunConfig gateway_tun_config(const portal_api::Interface& interface) {
    return {.ipv4 = interface.ipv4,
            .ipv6 = interface.ipv6,
            .ipv4_routes = {tunnel::peer_range(net::Family::kIpv4)},
            .ipv6_routes = {tunnel::peer_range(net::Family::kIpv6)}};
}

}  // namespace culvert::model
