// The part of the client's tunnel that is about its resources, and about what the interface must look like for them.

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "culvert/dns/constants.h"
#include "culvert/observability/log.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/filter_set.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

/// Whether a resolver inside the resource can be asked over both transports: an answer that is too long for one comes
/// over the other (spec/dns.md section 14.3).
bool permits_dns(const portal_api::ClientResource& resource) {
    const auto* network = std::get_if<portal_api::ClientCidrResource>(&resource);
    if (network == nullptr) {
        return true;
    }
    FilterSet filters;
    filters.add(network->filters);
    return filters.permits({Service::Protocol::kUdp, dns::kDnsPort}) &&
           filters.permits({Service::Protocol::kTcp, dns::kDnsPort});
}

}  // namespace

void ClientTunnel::set_interface(const portal_api::Interface& interface, Instant now) {
    TunConfig config{.ipv4 = interface.ipv4, .ipv6 = interface.ipv6, .ipv4_routes = {}, .ipv6_routes = {}};
    config.search_domain = interface.search_domain;
    core_.set_tun_config(std::move(config));
    dns_.set_addresses(interface.ipv4, interface.ipv6, now);

    portal_resolvers_ = {};
    for (const auto& server : interface.upstream_do53) {
        portal_resolvers_.do53.emplace_back(server, dns::kDnsPort);
    }
    if (interface.upstream_do53.empty()) {
        for (const auto& server : interface.upstream_dns) {
            portal_resolvers_.do53.push_back(server.address);
        }
    }
    for (const auto& url : interface.upstream_doh) {
        portal_resolvers_.doh.push_back({url});
    }
    update_resolvers(now);
}

void ClientTunnel::set_resources(const std::vector<portal_api::ClientResource>& resources, Instant now) {
    std::set<ResourceId> listed;
    for (const auto& resource : resources) {
        listed.insert(id_of(resource));
    }
    for (const auto& id : resources_.ids_except(listed)) {
        remove_resource(id, now);
    }
    for (const auto& resource : resources) {
        add_resource(resource, now);
    }
    resources_.recompute(is_connected());
    flows_.invalidate();
    update_routing(now);
    resources_changed_ = true;
}

void ClientTunnel::add_resource(const portal_api::ClientResource& resource, Instant now) {
    const auto& id = id_of(resource);
    if (const auto* known = resources_.find(id); known != nullptr && is_addressability_change(*known, resource)) {
        remove_resource(id, now);
    }
    const bool is_new = resources_.find(id) == nullptr;
    if (resources_.upsert(resource, is_connected())) {
        kLog.info("Activating resource", log::field("rid", id));
        kLog.debug("Resource", log::field("rid", id), log::field("name", name_of(resource)));
    }
    const auto* names = std::get_if<portal_api::ClientDnsResource>(&resource);
    if (is_new && names != nullptr && !dns_.add_resource(id, names->address, stack_of(*names))) {
        kLog.warn("The address of a resource is no pattern: it has no names", log::field("rid", id));
    }
    flows_.invalidate();
    update_routing(now);
    resources_changed_ = true;
}

void ClientTunnel::remove_resource(const ResourceId& id, Instant now) {
    const auto* resource = resources_.find(id);
    if (resource == nullptr) {
        return;
    }
    if (std::holds_alternative<portal_api::ClientInternetResource>(*resource)) {
        resources_.want_internet(false);  // until the user asks for it again
    }
    end_access(id, now);
    dns_.remove_resource(id, now);
    resources_.remove(id, is_connected());
    flows_.invalidate();
    update_routing(now);
    resources_changed_ = true;
}

void ClientTunnel::end_access(const ResourceId& id, Instant now) {
    kLog.info("Deactivating resource", log::field("rid", id));
    access_requests_.erase(id);
    reauthorise_throttle_.erase(id);
    names_.forget_resource(id);
    dns_.handle_site_lost(id);
    if (const auto gateway = peers_.gateway_of(id)) {
        records_.end(gateway->uuid(), id, now);
    }
    if (peers_.unassign(id)) {
        close_unused_gateways(now);
    }
}

void ClientTunnel::set_internet_resource(bool is_wanted, Instant now) {
    const auto* before = resources_.active_internet();
    if (!resources_.want_internet(is_wanted)) {
        return;
    }
    if (before != nullptr) {
        end_access(id_of(*before), now);
    } else if (const auto* after = resources_.active_internet()) {
        kLog.info("Activating resource", log::field("rid", id_of(*after)));
    }
    update_routing(now);
    flows_.invalidate();
    settle_names(now);
    core_.note_input(now);
}

ResourceSet::IsConnected ClientTunnel::is_connected() const {
    return [this](const ResourceId& id) { return peers_.gateway_of(id).has_value(); };
}

void ClientTunnel::update_routing(Instant now) {
    std::map<net::IpAddress, ResourceId> tunnelled;
    for (const auto& server : portal_resolvers_.do53) {
        if (const auto* resource = resources_.match(server.ip); resource != nullptr && permits_dns(*resource)) {
            tunnelled.insert_or_assign(server.ip, id_of(*resource));
        }
    }
    dns_.set_tunnelled(std::move(tunnelled), now);
    update_tun_config();
}

void ClientTunnel::update_tun_config() {
    if (!core_.tun_config()) {
        return;
    }
    auto routes = resources_.networks();
    const auto devices = devices_.networks();
    routes.insert(routes.end(), devices.begin(), devices.end());
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        routes.insert(routes.end(), {peer_range(family), proxy_range(family), sentinel_range(family)});
    }
    std::ranges::sort(routes);
    const auto repeated = std::ranges::unique(routes);
    routes.erase(repeated.begin(), repeated.end());
    const auto first_v6 = std::ranges::find(routes, net::Family::kIpv6, &net::IpNetwork::family);

    auto config = *core_.tun_config();
    config.ipv4_routes.assign(routes.begin(), first_v6);
    config.ipv6_routes.assign(first_v6, routes.end());
    config.dns_servers.clear();
    for (const auto& mapping : dns_.sentinels().mappings()) {
        config.dns_servers.push_back(mapping.sentinel);
    }
    core_.set_tun_config(std::move(config));
}

}  // namespace culvert::tunnel
