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

/// The flows one gateway currently knows of, by client and resource: what has to be taken back when rows disappear from
/// the database. Source: spec/portal-product.md section 2.4.
class GrantedFlows {
public:
    using Pair = std::pair<ClientId, ResourceId>;

    /// Takes the place of what `flow` supersedes.
    void add(const Flow& flow);
    void clear() { flows_.clear(); }

    /// Drops expired flows; the gateway ended them by itself.
    void prune(UnixSeconds now);

    /// The pairs with a flow of the given resource; all their flows are dropped.
    std::vector<Pair> take(const ResourceId& resource);

    /// Drops every flow whose id is not in `existing`. Per pair that lost some: one of the lost flows, the one that
    /// would have lasted longest.
    std::vector<Flow> take_missing(const std::set<FlowId>& existing);

    /// Whether the pair has any.
    [[nodiscard]] bool contains(const Pair& pair) const { return flows_.contains(pair); }
    /// The flow of the pair that lasts longest. Requires contains(pair). Valid until a flow is added or dropped.
    [[nodiscard]] const Flow& longest(const Pair& pair) const;
    /// One that differs from `flow` by nothing but its id.
    [[nodiscard]] std::optional<FlowId> find_equal(const Flow& flow) const;

    /// Every pair with its latest expiry, ordered by client.
    [[nodiscard]] std::vector<portal_api::Authorization> authorizations() const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<Pair, std::map<FlowId, Flow>> flows_;
};

}  // namespace culvert::portal
