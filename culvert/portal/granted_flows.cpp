#include "culvert/portal/granted_flows.h"

#include <algorithm>
#include <iterator>

namespace culvert::portal {

void GrantedFlows::add(const Flow& flow) {
    auto& flows = flows_[{flow.client, flow.resource}];
    std::erase_if(flows, [&](const auto& known) { return supersedes(flow, known.second); });
    flows.insert_or_assign(flow.id, flow);
}

void GrantedFlows::prune(UnixSeconds now) {
    for (auto entry = flows_.begin(); entry != flows_.end();) {
        std::erase_if(entry->second, [&](const auto& flow) { return flow.second.expires_at <= now; });
        entry = entry->second.empty() ? flows_.erase(entry) : std::next(entry);
    }
}

std::vector<GrantedFlows::Pair> GrantedFlows::take(const ResourceId& resource) {
    std::vector<Pair> taken;
    std::erase_if(flows_, [&](const auto& entry) {
        if (entry.first.second != resource) {
            return false;
        }
        taken.push_back(entry.first);
        return true;
    });
    return taken;
}

std::vector<Flow> GrantedFlows::take_missing(const std::set<FlowId>& existing) {
    std::vector<Flow> missing;
    for (auto entry = flows_.begin(); entry != flows_.end();) {
        auto& flows = entry->second;
        std::optional<Flow> longest;
        for (const auto& [id, flow] : flows) {
            if (!existing.contains(id) && (!longest || flow.expires_at > longest->expires_at)) {
                longest = flow;
            }
        }
        if (longest) {
            missing.push_back(*std::move(longest));
            std::erase_if(flows, [&](const auto& flow) { return !existing.contains(flow.first); });
        }
        entry = flows.empty() ? flows_.erase(entry) : std::next(entry);
    }
    return missing;
}

std::optional<FlowId> GrantedFlows::find_equal(const Flow& flow) const {
    const auto entry = flows_.find({flow.client, flow.resource});
    if (entry == flows_.end()) {
        return std::nullopt;
    }
    const auto equal = std::ranges::find_if(entry->second, [&](const auto& known) {
        auto other = known.second;
        other.id = flow.id;
        return other == flow;
    });
    return equal == entry->second.end() ? std::nullopt : std::optional{equal->first};
}

const Flow& GrantedFlows::longest(const Pair& pair) const {
    const auto& flows = flows_.at(pair);
    return std::ranges::max_element(flows, {}, [](const auto& flow) { return flow.second.expires_at; })->second;
}

std::vector<portal_api::Authorization> GrantedFlows::authorizations() const {
    std::vector<portal_api::Authorization> authorizations;
    for (const auto& [pair, flows] : flows_) {
        authorizations.push_back({pair.first, pair.second, longest(pair).expires_at});
    }
    return authorizations;
}

}  // namespace culvert::portal
