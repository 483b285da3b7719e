#include "culvert/portal/directory.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace culvert::portal {
namespace {

std::map<GroupId, MembershipId> groups_of(const Directory& directory, const ActorId& actor) {
    std::map<GroupId, MembershipId> groups;
    for (const auto& [id, membership] : directory.memberships) {
        if (membership.actor == actor) {
            groups.emplace(membership.group, id);
        }
    }
    return groups;
}

bool is_disabled(const Directory& directory, const ActorId& actor) {
    const auto row = directory.actors.find(actor);
    return row != directory.actors.end() && row->second.is_disabled;
}

/// Whether `policy` leads elsewhere than before or on other terms.
bool is_replaced(const Policy& before, const Policy& after) {
    return before.group != after.group || before.resource != after.resource || before.conditions != after.conditions;
}

/// Whether flows that the policy grants are logged.
bool logs_flows(const Directory& directory, const Policy& policy) {
    return directory.account.flow_logging.is_on && policy.logs_flows;
}

/// How, as far as devices have to know.
bool is_logged_alike(const FlowLogging& before, const FlowLogging& after) {
    return before.is_on == after.is_on &&
           (!after.is_on || (before.api_url == after.api_url && before.upload_interval == after.upload_interval &&
                             before.upload_batch_size == after.upload_batch_size));
}

}  // namespace

std::vector<Grant> find_grants(const Directory& directory, const ActorId& actor, const ClientFacts& facts,
                               const ResourceId& resource, TimeWindows& windows) {
    std::vector<Grant> grants;
    if (is_disabled(directory, actor)) {
        return grants;
    }
    const auto groups = groups_of(directory, actor);
    for (const auto& [id, policy] : directory.policies) {
        const auto group = groups.find(policy.group);
        if (policy.resource != resource || policy.is_disabled || group == groups.end()) {
            continue;
        }
        if (const auto verdict = evaluate(policy.conditions, facts, windows); verdict.passes()) {
            grants.push_back({id, group->second, verdict.until});
        }
    }
    std::ranges::stable_sort(grants, std::ranges::greater{},
                             [](const Grant& grant) { return grant.until.value_or(UnixSeconds::max()); });
    return grants;
}

std::vector<ConditionProperty> find_violations(const Directory& directory, const ActorId& actor,
                                               const ClientFacts& facts, const ResourceId& resource,
                                               TimeWindows& windows) {
    std::vector<ConditionProperty> violations;
    const auto groups = groups_of(directory, actor);
    for (const auto& [id, policy] : directory.policies) {
        if (policy.resource != resource || policy.is_disabled || !groups.contains(policy.group)) {
            continue;
        }
        const auto verdict = evaluate(policy.conditions, facts, windows);
        if (verdict.passes()) {
            return {};
        }
        std::ranges::copy_if(verdict.violated, std::back_inserter(violations),
                             [&](ConditionProperty property) { return std::ranges::count(violations, property) == 0; });
    }
    return violations;
}

std::set<PolicyId> granting_policies(const Directory& directory, const ActorId& actor, const ClientFacts& facts,
                                     TimeWindows& windows) {
    std::set<PolicyId> granting;
    const auto groups = groups_of(directory, actor);
    for (const auto& [id, policy] : directory.policies) {
        if (!policy.is_disabled && groups.contains(policy.group) &&
            evaluate(policy.conditions, facts, windows).passes()) {
            granting.insert(id);
        }
    }
    return granting;
}

std::vector<const Resource*> connectable_resources(const Directory& directory, const ActorId& actor,
                                                   const ClientFacts& facts, TimeWindows& windows) {
    std::set<ResourceId> granted;
    for (const auto& id : granting_policies(directory, actor, facts, windows)) {
        granted.insert(directory.policies.at(id).resource);
    }
    std::vector<const Resource*> resources;
    for (const auto& id : granted) {
        const auto resource = directory.resources.find(id);
        if (resource != directory.resources.end() && !resource->second.sites.empty()) {
            resources.push_back(&resource->second);
        }
    }
    return resources;
}

bool has_time_conditions(const Directory& directory) {
    return std::ranges::any_of(directory.policies, [](const auto& entry) {
        return std::ranges::any_of(entry.second.conditions, [](const PolicyCondition& condition) {
            return std::holds_alternative<TimeCondition>(condition);
        });
    });
}

std::optional<UnixSeconds> next_time_boundary(const Directory& directory, UnixSeconds now, TimeWindows& windows) {
    std::optional<UnixSeconds> next;
    for (const auto& [id, policy] : directory.policies) {
        const auto change = policy.is_disabled ? std::nullopt : next_change(policy.conditions, now, windows);
        if (change && (!next || *change < *next)) {
            next = change;
        }
    }
    return next;
}

DirectoryChanges compare(const Directory& before, const Directory& after) {
    DirectoryChanges changes;
    changes.dns = before.account.search_domain != after.account.search_domain ||
                  before.account.upstream_dns != after.account.upstream_dns ||
                  before.account.upstream_doh != after.account.upstream_doh;
    changes.slug = before.account.slug != after.account.slug;
    changes.flow_logs = !is_logged_alike(before.account.flow_logging, after.account.flow_logging);

    std::set<SiteId> renamed;
    for (const auto& [id, site] : after.sites) {
        if (const auto old = before.sites.find(id); old != before.sites.end() && old->second.name != site.name) {
            renamed.insert(id);
        }
    }
    for (const auto& [id, resource] : after.resources) {
        if (std::ranges::any_of(resource.sites, [&](const SiteId& site) { return renamed.contains(site); })) {
            changes.in_renamed_site.insert(id);
        }
        const auto found = before.resources.find(id);
        if (found == before.resources.end()) {
            continue;
        }
        const auto& old = found->second;
        if (old.sites != resource.sites) {
            changes.toggled.insert(id);
        }
        if (old.filters != resource.filters) {
            changes.filters.insert(id);
        }
        if (old.address != resource.address || old.type != resource.type || old.ip_stack != resource.ip_stack) {
            changes.destination.insert(id);
        }
    }
    for (const auto& [id, policy] : after.policies) {
        if (const auto old = before.policies.find(id);
            old != before.policies.end() && is_replaced(old->second, policy)) {
            changes.toggled.insert(old->second.resource);
            changes.toggled.insert(policy.resource);
        }
        if (const auto old = before.policies.find(id);
            old != before.policies.end() && logs_flows(before, old->second) != logs_flows(after, policy)) {
            changes.logged_otherwise.insert(id);
            changes.toggled.insert(policy.resource);
        }
    }
    return changes;
}

}  // namespace culvert::portal
