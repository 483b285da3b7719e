#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/dns/pattern.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/prefix_table.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/filter_set.h"
#include "culvert/tunnel/gateway/gateway_state.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

[[nodiscard]] const ResourceId& id_of(const portal_api::GatewayResource& resource);

/// What one client may reach through this gateway, until when (spec/tunnel.md sections 6.1 to 6.3).
class ClientPolicy {
public:
    /// Unset means never.
    using Expiry = std::optional<UnixSeconds>;

    /// Grants access; a resource granted before takes the new filters and the new expiry. Returns whether it had
    /// another address before, so that names that were set up for it are names of it no more.
    bool allow(const portal_api::GatewayResource& resource, Expiry expires_at);
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

    /// The resource that traffic between the client and `service` at `address` belongs to, if it is permitted. Of CIDR
    /// resources and the Internet Resource; the latter is not where networks are private, so that it opens nobody's own
    /// network, and counts only where no filter of the former permits the traffic.
    [[nodiscard]] std::expected<ResourceId, Refusal> classify(const net::IpAddress& address,
                                                              const Service& service) const;
    /// Addresses that are no part of the Internet either: those of the gateway's host.
    using Addresses = std::set<net::IpAddress>;
    void set_host_addresses(std::shared_ptr<const Addresses> addresses) { host_addresses_ = std::move(addresses); }

    /// Whether traffic between the client and `service` of a name of the DNS resource is permitted.
    [[nodiscard]] std::expected<void, Refusal> check(const ResourceId& dns_resource, const Service& service) const;
    /// Whether it is a name of that DNS resource, and the client may use it.
    [[nodiscard]] bool covers(const ResourceId& dns_resource, const dns::Name& name) const;
    /// Whether the client may use any DNS resource.
    [[nodiscard]] bool has_names() const { return !names_.empty(); }

    [[nodiscard]] GrantStates grants() const;
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
    struct NameRule {
        FilterSet filters;
        dns::Pattern pattern;
    };

    template <typename Predicate>
    std::vector<ResourceId> revoke_if(Predicate is_over);
    void rebuild_rules();
    [[nodiscard]] bool is_internet(const net::IpAddress& address) const;
    void add_names(const portal_api::GatewayDnsResource& resource);

    std::map<ResourceId, Grant> resources_;
    net::PrefixTable<Rule> rules_;
    std::map<ResourceId, NameRule> names_;
    std::optional<ResourceId> internet_;
    std::shared_ptr<const Addresses> host_addresses_;
};

}  // namespace culvert::tunnel
