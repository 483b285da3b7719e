#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/dns/pattern.h"
#include "culvert/dns/proxy_addresses.h"
#include "culvert/net/prefix_table.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/client/resource_view.h"
#include "culvert/tunnel/client/site_statuses.h"
#include "culvert/tunnel/filter_set.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

// The members that all types of resources have.
[[nodiscard]] const ResourceId& id_of(const portal_api::ClientResource& resource);
[[nodiscard]] const std::string& name_of(const portal_api::ClientResource& resource);
[[nodiscard]] std::span<const portal_api::Site> sites_of(const portal_api::ClientResource& resource);
/// Empty for types that have none.
[[nodiscard]] std::span<const portal_api::Filter> filters_of(const portal_api::ClientResource& resource);

/// Which addresses the names of a DNS resource have.
[[nodiscard]] dns::IpStack stack_of(const portal_api::ClientDnsResource& resource);

/// The networks that a gateway serves for the resource. Those of names are addresses of their own
/// (dns::ProxyAddresses).
[[nodiscard]] std::vector<net::IpNetwork> networks_of(const portal_api::ClientResource& resource);

/// Whether `changed` must be reached differently than `known`, so that running connections are of no use. Names,
/// descriptions, filters and the names of sites are not part of it (spec/tunnel.md section 3.3).
[[nodiscard]] bool is_addressability_change(const portal_api::ClientResource& known,
                                            const portal_api::ClientResource& changed);

/// The resources of this client and which of them each destination belongs to (spec/tunnel.md sections 3.2
/// to 3.4, 3.7).
class ResourceSet {
public:
    /// Whether a connected gateway serves the resource; it then keeps its network if another one claims it.
    using IsConnected = std::function<bool(const ResourceId&)>;

    /// Adds or replaces. True if it newly receives traffic.
    bool upsert(const portal_api::ClientResource& resource, const IsConnected& is_connected);
    bool remove(const ResourceId& id, const IsConnected& is_connected);
    /// Decides anew which resource has which network.
    void recompute(const IsConnected& is_connected);

    [[nodiscard]] const portal_api::ClientResource* find(const ResourceId& id) const;
    /// The resource that packets to `destination` belong to, or null: the one with the longest prefix, else the
    /// Internet resource while it is wanted. Nobody has addresses of the tunnel itself, or those that stand for no
    /// host.
    [[nodiscard]] const portal_api::ClientResource* match(const net::IpAddress& destination) const;
    struct Match {
        const portal_api::ClientResource* resource = nullptr;
        bool is_permitted = false;
    };
    /// The same for one service: of the resources that the address is in it is the first whose filters permit it, in
    /// the order of match(destination); if there is none, the first of all, which does not (spec/tunnel.md section 12).
    [[nodiscard]] Match match(const net::IpAddress& destination, const Service& service) const;
    /// Whether the filters of the resource permit it. False if there is no such resource.
    [[nodiscard]] bool permits(const ResourceId& id, const Service& service) const;

    /// The DNS resource of this id, if `domain` is a name of it and it has addresses of that family; else null. Proxy
    /// IPs outlive the resource that they were given for, its pattern and its stack (spec/dns.md section 6).
    [[nodiscard]] const portal_api::ClientResource* find_name(const ResourceId& id, const dns::Name& domain,
                                                              net::Family family) const;

    /// Whether the Internet resource shall get traffic if there is one (section 3.5). False if that was so before.
    bool want_internet(bool is_wanted);
    [[nodiscard]] bool wants_internet() const { return wants_internet_; }
    /// The Internet resource, if there is one and it is wanted.
    [[nodiscard]] const portal_api::ClientResource* active_internet() const;

    /// The ids that are not in `keep`, in ascending order.
    [[nodiscard]] std::vector<ResourceId> ids_except(const std::set<ResourceId>& keep) const;
    /// The networks that must be routed into the tunnel.
    [[nodiscard]] std::vector<net::IpNetwork> networks() const;
    /// Sorted for display: the Internet resource, then by name, then by id.
    [[nodiscard]] std::vector<ResourceView> views(const SiteStatuses& statuses) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<ResourceId, portal_api::ClientResource> resources_;
    /// With each network the resources that have it: first the one that gets its traffic unless its filters forbid it.
    net::PrefixTable<std::vector<ResourceId>> cidrs_;
    std::map<ResourceId, FilterSet> filters_;
    /// Of DNS resources, if they are patterns.
    std::map<ResourceId, dns::Pattern> patterns_;
    bool wants_internet_ = false;
};

}  // namespace culvert::tunnel
