#include "culvert/tunnel/client/resource_set.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/tunnel/address_ranges.h"

namespace culvert::tunnel {
namespace {

using portal_api::ClientCidrResource;
using portal_api::ClientDnsResource;
using portal_api::ClientInternetResource;
using portal_api::ClientResource;

const net::IpNetwork kDefaultV4{net::IpAddress::unspecified(net::Family::kIpv4), 0};
const net::IpNetwork kDefaultV6{net::IpAddress::unspecified(net::Family::kIpv6), 0};

std::set<SiteId> site_ids(const ClientResource& resource) {
    std::set<SiteId> ids;
    for (const auto& site : sites_of(resource)) {
        ids.insert(site.id);
    }
    return ids;
}

bool is_same_address(const ClientResource& a, const ClientResource& b) {
    return std::visit(
        overloaded{
            [](const ClientDnsResource& x, const ClientDnsResource& y) {
                return x.address == y.address && x.ip_stack == y.ip_stack;
            },
            [](const ClientCidrResource& x, const ClientCidrResource& y) { return x.address == y.address; },
            [](const ClientInternetResource&, const ClientInternetResource&) { return true; },
            [](const auto&, const auto&) { return false; },  // different types
        },
        a, b);
}

ResourceView view_of(const ClientResource& resource, ResourceStatus status) {
    return std::visit(overloaded{
                          [&](const ClientDnsResource& dns) {
                              return ResourceView{ResourceType::kDns,      dns.id,    dns.name, dns.address,
                                                  dns.address_description, dns.sites, status};
                          },
                          [&](const ClientCidrResource& cidr) {
                              return ResourceView{
                                  ResourceType::kCidr,      cidr.id,    cidr.name, cidr.address.to_string(),
                                  cidr.address_description, cidr.sites, status};
                          },
                          [&](const ClientInternetResource& internet) {
                              return ResourceView{ResourceType::kInternet, internet.id, internet.name, {}, {},
                                                  internet.sites,          status};
                          },
                      },
                      resource);
}

}  // namespace

const ResourceId& id_of(const ClientResource& resource) {
    return std::visit([](const auto& any) -> const ResourceId& { return any.id; }, resource);
}

const std::string& name_of(const ClientResource& resource) {
    return std::visit([](const auto& any) -> const std::string& { return any.name; }, resource);
}

std::span<const portal_api::Site> sites_of(const ClientResource& resource) {
    return std::visit([](const auto& any) { return std::span<const portal_api::Site>{any.sites}; }, resource);
}

std::span<const portal_api::Filter> filters_of(const ClientResource& resource) {
    return std::visit(overloaded{
                          [](const ClientInternetResource&) { return std::span<const portal_api::Filter>{}; },
                          [](const auto& filtered) { return std::span<const portal_api::Filter>{filtered.filters}; },
                      },
                      resource);
}

std::vector<net::IpNetwork> networks_of(const ClientResource& resource) {
    return std::visit(overloaded{
                          [](const ClientDnsResource&) { return std::vector<net::IpNetwork>{}; },
                          [](const ClientCidrResource& cidr) { return std::vector{cidr.address}; },
                          [](const ClientInternetResource&) { return std::vector{kDefaultV4, kDefaultV6}; },
                      },
                      resource);
}

dns::IpStack stack_of(const ClientDnsResource& resource) {
    switch (resource.ip_stack) {
        case portal_api::IpStack::kDual:
            return dns::IpStack::kDual;
        case portal_api::IpStack::kIpv4Only:
            return dns::IpStack::kIpv4Only;
        case portal_api::IpStack::kIpv6Only:
            return dns::IpStack::kIpv6Only;
    }
    return dns::IpStack::kDual;
}

bool is_addressability_change(const ClientResource& known, const ClientResource& changed) {
    return !is_same_address(known, changed) || site_ids(known) != site_ids(changed);
}

bool ResourceSet::upsert(const ClientResource& resource, const IsConnected& is_connected) {
    const auto& id = id_of(resource);
    FilterSet filters;
    filters.add(filters_of(resource));
    if (const auto* known = find(id); known != nullptr && is_same_address(*known, resource)) {
        resources_.insert_or_assign(id, resource);
        filters_.insert_or_assign(id, std::move(filters));
        return false;  // who has which network stays as it is, or running flows might change gateways without reason
    }
    remove(id, is_connected);
    resources_.insert_or_assign(id, resource);
    filters_.insert_or_assign(id, std::move(filters));
    if (const auto* names = std::get_if<ClientDnsResource>(&resource)) {
        if (auto pattern = dns::Pattern::parse(names->address)) {
            patterns_.insert_or_assign(id, std::move(*pattern));
        }
    }
    const auto* cidr = std::get_if<ClientCidrResource>(&resource);
    if (cidr == nullptr) {
        return std::holds_alternative<ClientDnsResource>(resource) || active_internet() == find(id);
    }
    const auto* holders = cidrs_.find(cidr->address);
    const bool was_active = holders != nullptr && holders->front() == id;

    recompute(is_connected);
    return !was_active && cidrs_.find(cidr->address)->front() == id;
}

bool ResourceSet::remove(const ResourceId& id, const IsConnected& is_connected) {
    const auto resource = resources_.extract(id);
    if (!resource) {
        return false;
    }
    patterns_.erase(id);
    filters_.erase(id);
    if (std::holds_alternative<ClientCidrResource>(resource.mapped())) {
        recompute(is_connected);
    }
    return true;
}

void ResourceSet::recompute(const IsConnected& is_connected) {
    cidrs_.clear();
    for (const auto& [id, resource] : resources_) {
        const auto* cidr = std::get_if<ClientCidrResource>(&resource);
        if (cidr == nullptr) {
            continue;
        }
        // identical networks: the largest id, but a connected one is not interrupted (spec/tunnel.md section 3.4)
        if (auto* holders = cidrs_.find(cidr->address); holders == nullptr) {
            cidrs_.insert(cidr->address, {id});
        } else {
            holders->insert(holders->begin() + (is_connected(holders->front()) ? 1 : 0), id);
        }
    }
}

const ClientResource* ResourceSet::find(const ResourceId& id) const {
    const auto resource = resources_.find(id);
    return resource == resources_.end() ? nullptr : &resource->second;
}

const ClientResource* ResourceSet::match(const net::IpAddress& destination) const {
    if (is_tunnel_address(destination) || is_reserved(destination)) {
        return nullptr;
    }
    if (const auto match = cidrs_.match(destination)) {
        return find(match->value->front());
    }
    return destination.is_link_local() ? nullptr : active_internet();
}

ResourceSet::Match ResourceSet::match(const net::IpAddress& destination, const Service& service) const {
    const auto* first = match(destination);
    if (first == nullptr || permits(id_of(*first), service)) {
        return {.resource = first, .is_permitted = first != nullptr};
    }
    const auto permitting = [&](const std::vector<ResourceId>& holders) {
        return std::ranges::find_if(holders, [&](const ResourceId& id) { return permits(id, service); });
    };
    const auto other = cidrs_.match_if(
        destination, [&](const std::vector<ResourceId>& holders) { return permitting(holders) != holders.end(); });
    if (other) {
        return {.resource = find(*permitting(*other->value)), .is_permitted = true};
    }
    const bool is_internet = !is_private(destination) && platform_range(destination) == nullptr;
    const auto* internet = is_internet ? active_internet() : nullptr;
    return {.resource = internet != nullptr ? internet : first, .is_permitted = internet != nullptr};
}

bool ResourceSet::permits(const ResourceId& id, const Service& service) const {
    const auto filters = filters_.find(id);
    return filters != filters_.end() && filters->second.permits(service);
}

const ClientResource* ResourceSet::find_name(const ResourceId& id, const dns::Name& domain, net::Family family) const {
    const auto pattern = patterns_.find(id);
    if (pattern == patterns_.end() || !pattern->second.matches(domain)) {
        return nullptr;
    }
    const auto* resource = find(id);
    return dns::has_family(stack_of(std::get<ClientDnsResource>(*resource)), family) ? resource : nullptr;
}

bool ResourceSet::want_internet(bool is_wanted) {
    return std::exchange(wants_internet_, is_wanted) != is_wanted;
}

const ClientResource* ResourceSet::active_internet() const {
    if (!wants_internet_) {
        return nullptr;
    }
    const auto first = std::ranges::find_if(
        resources_, [](const auto& entry) { return std::holds_alternative<ClientInternetResource>(entry.second); });
    return first == resources_.end() ? nullptr : &first->second;
}

std::vector<ResourceId> ResourceSet::ids_except(const std::set<ResourceId>& keep) const {
    std::vector<ResourceId> ids;
    for (const auto& [id, resource] : resources_) {
        if (!keep.contains(id)) {
            ids.push_back(id);
        }
    }
    return ids;
}

std::vector<net::IpNetwork> ResourceSet::networks() const {
    std::vector<net::IpNetwork> networks;
    cidrs_.for_each(
        [&](const net::IpNetwork& network, const std::vector<ResourceId>&) { networks.push_back(network); });
    if (active_internet() != nullptr) {
        networks.insert(networks.end(), {kDefaultV4, kDefaultV6});
    }
    return networks;
}

std::vector<ResourceView> ResourceSet::views(const SiteStatuses& statuses) const {
    std::vector<ResourceView> views;
    for (const auto& [id, resource] : resources_) {
        views.push_back(view_of(resource, statuses.of(sites_of(resource))));
    }
    std::ranges::sort(views, {}, [](const ResourceView& view) {
        return std::tuple{view.type != ResourceType::kInternet, std::string_view{view.name}, view.id};
    });
    return views;
}

}  // namespace culvert::tunnel
