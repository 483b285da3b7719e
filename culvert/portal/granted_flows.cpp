#include "culvert/portal/granted_flows.h"

#include <algorithm>
#include <iterator>

namespace culvert::portal {

template <typename Row>
void BasicGrantedFlows<Row>::add(const Row& flow) {
    auto& flows = flows_[{flow.client, flow.resource}];
    std::erase_if(flows, [&](const auto& known) { return supersedes(flow, known.second); });
    flows.insert_or_assign(flow.id, flow);
}

template <typename Row>
std::vector<typename BasicGrantedFlows<Row>::Pair> BasicGrantedFlows<Row>::prune(UnixSeconds now) {
    std::vector<Pair> ended;
    for (auto entry = flows_.begin(); entry != flows_.end();) {
        std::erase_if(entry->second, [&](const auto& flow) { return flow.second.expires_at <= now; });
        if (entry->second.empty()) {
            ended.push_back(entry->first);
            entry = flows_.erase(entry);
        } else {
            ++entry;
        }
    }
    return ended;
}

template <typename Row>
std::vector<typename BasicGrantedFlows<Row>::Pair> BasicGrantedFlows<Row>::take(const ResourceId& resource) {
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

template <typename Row>
std::vector<Row> BasicGrantedFlows<Row>::take_missing(const std::set<FlowId>& existing) {
    std::vector<Row> missing;
    for (auto entry = flows_.begin(); entry != flows_.end();) {
        auto& flows = entry->second;
        std::optional<Row> longest;
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

template <typename Row>
std::optional<FlowId> BasicGrantedFlows<Row>::find_equal(const Row& flow) const {
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

template <typename Row>
const Row& BasicGrantedFlows<Row>::longest(const Pair& pair) const {
    const auto& flows = flows_.at(pair);
    return std::ranges::max_element(flows, {}, [](const auto& flow) { return flow.second.expires_at; })->second;
}

template <typename Row>
std::vector<portal_api::Authorization> BasicGrantedFlows<Row>::authorizations() const {
    std::vector<portal_api::Authorization> authorizations;
    for (const auto& [pair, flows] : flows_) {
        authorizations.push_back({pair.first, pair.second, longest(pair).expires_at});
    }
    return authorizations;
}

template <typename Row>
bool BasicGrantedFlows<Row>::has_any(const ClientId& client, UnixSeconds now) const {
    for (auto entry = flows_.lower_bound({client, ResourceId{}}); entry != flows_.end() && entry->first.first == client;
         ++entry) {
        if (std::ranges::any_of(entry->second, [&](const auto& flow) { return flow.second.expires_at > now; })) {
            return true;
        }
    }
    return false;
}

template <typename Row>
bool BasicGrantedFlows<Row>::has_resource(const ResourceId& resource) const {
    return std::ranges::any_of(flows_, [&](const auto& entry) { return entry.first.second == resource; });
}

template class BasicGrantedFlows<Flow>;
template class BasicGrantedFlows<DeviceFlow>;

}  // namespace culvert::portal
