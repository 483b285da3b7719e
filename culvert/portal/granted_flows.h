#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "culvert/portal/model.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// The flows that one gateway, or one device of pools, currently knows of, by client and resource: what has to be taken
/// back when rows disappear from the database. Source: spec/portal-product.md section 2.4.
template <typename Row>
class BasicGrantedFlows {
public:
    using Pair = std::pair<ClientId, ResourceId>;

    /// Takes the place of what `flow` supersedes.
    void add(const Row& flow);
    void clear() { flows_.clear(); }

    /// Drops expired flows; whoever let them in ended them by itself, if its clock is right. The pairs that have none
    /// left.
    std::vector<Pair> prune(UnixSeconds now);

    /// The pairs with a flow of the given resource; all their flows are dropped.
    std::vector<Pair> take(const ResourceId& resource);

    [[nodiscard]] bool has_resource(const ResourceId& resource) const;

    /// Drops every flow whose id is not in `existing`. Per pair that lost some: one of the lost flows, the one that
    /// would have lasted longest.
    std::vector<Row> take_missing(const std::set<FlowId>& existing);

    /// Whether the pair has any.
    [[nodiscard]] bool contains(const Pair& pair) const { return flows_.contains(pair); }
    [[nodiscard]] bool empty() const { return flows_.empty(); }
    /// The flow of the pair that lasts longest. Requires contains(pair). Valid until a flow is added or dropped.
    [[nodiscard]] const Row& longest(const Pair& pair) const;
    /// One that differs from `flow` by nothing but its id.
    [[nodiscard]] std::optional<FlowId> find_equal(const Row& flow) const;

    /// Whether the client has any flow that has not expired.
    [[nodiscard]] bool has_any(const ClientId& client, UnixSeconds now) const;

    /// Every pair with its latest expiry, ordered by client.
    [[nodiscard]] std::vector<portal_api::Authorization> authorizations() const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<Pair, std::map<FlowId, Row>> flows_;
};

using GrantedFlows = BasicGrantedFlows<Flow>;
/// By the client that was let through.
using GrantedDeviceFlows = BasicGrantedFlows<DeviceFlow>;

}  // namespace culvert::portal
