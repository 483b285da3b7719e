#include "culvert/portal/resource_view.h"

namespace culvert::portal {
namespace {

constexpr Version kFirstWithInternetResource{1, 3, 0};
constexpr Version kFirstWithDeepWildcards{1, 2, 0};

std::vector<portal_api::Site> wire_sites(const Resource& resource, const Directory& directory) {
    std::vector<portal_api::Site> sites;
    for (const auto& id : resource.sites) {
        if (const auto site = directory.sites.find(id); site != directory.sites.end()) {
            sites.push_back(site->second);
        }
    }
    return sites;
}

/// Single addresses travel as networks of one address.
std::optional<net::IpNetwork> wire_network(const Resource& resource) {
    if (resource.type == ResourceType::kCidr) {
        return net::IpNetwork::parse(resource.address);
    }
    const auto address = net::IpAddress::parse(resource.address);
    return address ? std::optional{net::IpNetwork::host(*address)} : std::nullopt;
}

}  // namespace

std::vector<portal_api::Filter> wire_filters(const Resource& resource) {
    std::vector<portal_api::Filter> filters;
    for (const auto& filter : resource.filters) {
        if (filter.ports.empty()) {
            filters.push_back({.protocol = filter.protocol});
        }
        for (const auto& range : filter.ports) {
            filters.push_back({filter.protocol, range.first, range.last});
        }
    }
    return filters;
}

std::optional<std::string> adapt_dns_pattern(const std::string& pattern, const Version& version) {
    if (version >= kFirstWithDeepWildcards) {
        return pattern;
    }
    std::string adapted = pattern;
    std::size_t fixed_from = 0;
    if (pattern.starts_with("**")) {
        adapted = "*" + pattern.substr(2);
        fixed_from = 1;
    } else if (pattern.starts_with("*")) {
        adapted = "?" + pattern.substr(1);
        fixed_from = 1;
    }
    if (adapted.find_first_of("*?", fixed_from) != std::string::npos) {
        return std::nullopt;
    }
    return adapted;
}

std::optional<portal_api::ClientResource> to_client(const Resource& resource, const Directory& directory,
                                                    const Version& version) {
    switch (resource.type) {
        case ResourceType::kInternet:
            if (version < kFirstWithInternetResource) {
                return std::nullopt;
            }
            return portal_api::ClientInternetResource{
                .id = resource.id, .name = resource.name, .sites = wire_sites(resource, directory)};
        case ResourceType::kDns: {
            auto address = adapt_dns_pattern(resource.address, version);
            if (!address) {
                return std::nullopt;
            }
            return portal_api::ClientDnsResource{.id = resource.id,
                                                 .name = resource.name,
                                                 .address = std::move(*address),
                                                 .address_description = resource.address_description,
                                                 .sites = wire_sites(resource, directory),
                                                 .ip_stack = resource.ip_stack,
                                                 .filters = wire_filters(resource)};
        }
        case ResourceType::kCidr:
        case ResourceType::kIp: {
            const auto network = wire_network(resource);
            if (!network) {
                return std::nullopt;
            }
            return portal_api::ClientCidrResource{.id = resource.id,
                                                  .name = resource.name,
                                                  .address = *network,
                                                  .address_description = resource.address_description,
                                                  .sites = wire_sites(resource, directory),
                                                  .filters = wire_filters(resource)};
        }
        case ResourceType::kStaticDevicePool:
            break;  // is none of a gateway: device_pools.h
    }
    return std::nullopt;
}

std::optional<portal_api::GatewayResource> to_gateway(const Resource& resource, const Version& version) {
    switch (resource.type) {
        case ResourceType::kInternet:
            if (version < kFirstWithInternetResource) {
                return std::nullopt;
            }
            return portal_api::GatewayInternetResource{resource.id};
        case ResourceType::kDns: {
            auto address = adapt_dns_pattern(resource.address, version);
            if (!address) {
                return std::nullopt;
            }
            return portal_api::GatewayDnsResource{resource.id, resource.name, std::move(*address),
                                                  wire_filters(resource)};
        }
        case ResourceType::kCidr:
        case ResourceType::kIp: {
            const auto network = wire_network(resource);
            if (!network) {
                return std::nullopt;
            }
            return portal_api::GatewayCidrResource{resource.id, resource.name, *network, wire_filters(resource)};
        }
        case ResourceType::kStaticDevicePool:
            break;
    }
    return std::nullopt;
}

}  // namespace culvert::portal
