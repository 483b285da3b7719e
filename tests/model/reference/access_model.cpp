#include "tests/model/reference/access_model.h"

#include <algorithm>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/ids.h"
#include "tests/model/scenario/ignores.h"

namespace culvert::model {
AccessModel::AccessModel(const Setup& setup, Instant begin) : setup_{setup}, begin_{begin} {
    for (const auto site : numbers<SiteNo>(setup_.sites)) {
        site_names_[site] = name(site);
    }
    for (const auto resource : numbers<ResourceNo>(setup_.resources.size())) {
        change(CreateResource{resource}, begin);
    }
    for (std::size_t i = 0; i < setup_.clients.size(); ++i) {
        for (const auto group : setup_.clients[i].groups) {
            memberships_.emplace(number<ClientNo>(i), group);
        }
    }
    for (const auto& policy : setup_.policies) {
        policies_[{policy.group, resource_id(policy.resource, 0)}] = {policy.is_disabled};
    }
    update_standings(begin);
}

void AccessModel::apply(const Action& action, Instant now) {
    change(action, now);
    update_standings(now);
}

void AccessModel::create(const CreateResource& action, Instant now) {
    const auto generation = generations_.find(action.resource);
    const auto next = static_cast<std::uint8_t>(generation == generations_.end() ? 0 : generation->second + 1);
    generations_[action.resource] = next;
    const auto& setup = setup_.resources.at(action.resource.value - 1U);
    const auto id = resource_id(action.resource, next);
    resources_[id] = {.number = action.resource,
                      .id = id,
                      .name = name(action.resource),
                      .address = setup.address,
                      .sites = {setup.sites.begin(), setup.sites.end()},
                      .filters = setup.filters,
                      .changed_at = now};
}

void AccessModel::erase(const DeleteResource& action) {
    if (const auto* resource = current(action.resource)) {
        const auto id = resource->id;
        std::erase_if(policies_, [&](const auto& entry) { return entry.first.second == id; });
        resources_.erase(id);
    }
}

template <typename Change>
void AccessModel::edit(ResourceNo number, Instant now, Change change) {
    if (auto* resource = current(number)) {
        change(*resource);
        resource->changed_at = now;
    }
}

void AccessModel::change(const Action& action, Instant now) {
    std::visit(overloaded{
                   [&](const CreateResource& it) { create(it, now); },
                   [&](const DeleteResource& it) { erase(it); },
                   [&](const SetAddress& it) {
                       edit(it.resource, now, [&](Resource& resource) { resource.address = it.address; });
                   },
                   [&](const SetFilters& it) {
                       edit(it.resource, now, [&](Resource& resource) { resource.filters = it.filters; });
                   },
                   [&](const SetSites& it) {
                       edit(it.resource, now,
                            [&](Resource& resource) { resource.sites = {it.sites.begin(), it.sites.end()}; });
                   },
                   [&](const CreatePolicy& it) {
                       if (const auto* resource = current(it.resource)) {
                           policies_[{it.group, resource->id}] = {};
                       }
                   },
                   [&](const DeletePolicy& it) {
                       if (const auto* resource = current(it.resource)) {
                           policies_.erase({it.group, resource->id});
                       }
                   },
                   [&](const SetPolicyDisabled& it) {
                       if (const auto* resource = current(it.resource)) {
                           policies_[{it.group, resource->id}] = {it.is_disabled};
                       }
                   },
                   [&](const JoinGroup& it) { memberships_.emplace(it.client, it.group); },
                   [&](const LeaveGroup& it) { memberships_.erase({it.client, it.group}); },
                   [&](const RevokeToken& it) { revoked_.emplace(it.device, now); },
                   [&](const RenameSite& it) { site_names_[it.site] += "'"; },
                   [&](const SetSearchDomain& it) { search_domain_ = it.domain; },
                   ignores<Probe, Expect, Transfer, Unsolicited, Start, Stop, Crash, Hang, Suspend, Roam, Move, Reset,
                           ImpairLink, BlockDirect, BlockRelay, LoseFamily, RebootNat, RenumberNat, ReplaceNat,
                           SetClock, CutPortal, PortalTrouble, Forge, Betray, Attack, AbuseRelay, Deceive, Settle>,
               },
               action);
}

AccessModel::Resource* AccessModel::current(ResourceNo number) {
    const auto found =
        std::ranges::find_if(resources_, [&](const auto& entry) { return entry.second.number == number; });
    return found == resources_.end() ? nullptr : &found->second;
}

const AccessModel::Resource* AccessModel::find(const ResourceId& id) const {
    const auto found = resources_.find(id);
    return found == resources_.end() ? nullptr : &found->second;
}

std::string AccessModel::site_name(SiteNo site) const {
    const auto found = site_names_.find(site);
    return found == site_names_.end() ? std::string{} : found->second;
}

bool AccessModel::compute_shown(ClientNo client, const Resource& resource) const {
    return !resource.sites.empty() && std::ranges::any_of(policies_, [&](const auto& entry) {
        const auto& [key, policy] = entry;
        return !policy.is_disabled && key.second == resource.id && memberships_.contains({client, key.first});
    });
}

void AccessModel::update_standings(Instant now) {
    for (const auto client : numbers<ClientNo>(setup_.clients.size())) {
        auto& changed_at = changed_at_[client];
        for (const auto& [id, resource] : resources_) {
            const bool is_shown = compute_shown(client, resource);
            const auto [entry, is_new] = shown_.try_emplace({client, id}, Standing{is_shown, now});
            if (is_new || entry->second.holds != is_shown) {
                entry->second = {is_shown, now};
                changed_at = now;
            }
            if (is_shown && resource.changed_at > changed_at) {
                changed_at = resource.changed_at;
            }
        }
        for (auto& [key, standing] : shown_) {
            if (key.first == client && standing.holds && !resources_.contains(key.second)) {
                standing = {false, now};
                changed_at = now;
            }
        }
    }
}

AccessModel::Standing AccessModel::is_shown(ClientNo client, const ResourceId& resource) const {
    const auto found = shown_.find({client, resource});
    return found == shown_.end() ? Standing{false, begin_} : found->second;
}

AccessModel::Standing AccessModel::may_reach(ClientNo client, const ResourceId& resource, Instant now) const {
    const auto shown = is_shown(client, resource);
    const auto signed_in = may_sign_in(client, now);
    if (shown.holds && signed_in.holds) {
        return {true, std::max(shown.since, signed_in.since)};
    }
    if (!shown.holds && !signed_in.holds) {
        return {false, std::min(shown.since, signed_in.since)};
    }
    return shown.holds ? signed_in : shown;
}

AccessModel::Standing AccessModel::may_sign_in(const Device& device, Instant now) const {
    const auto* client = std::get_if<ClientNo>(&device);
    const auto expires_at = client == nullptr ? Instant::max() : token_expiry(*client).value_or(Instant::max());
    const auto revoked = revoked_.find(device);
    const auto revoked_at = revoked == revoked_.end() ? Instant::max() : revoked->second;
    const auto ends_at = std::min(expires_at, revoked_at);
    return ends_at <= now ? Standing{false, ends_at} : Standing{true, begin_};
}

std::optional<Instant> AccessModel::token_expiry(ClientNo client) const {
    const auto& lifetime = setup_.clients.at(client.value - 1U).token_lifetime;
    return lifetime ? std::optional{begin_ + *lifetime} : std::nullopt;
}

Instant AccessModel::changed_at(ClientNo client) const {
    const auto found = changed_at_.find(client);
    return found == changed_at_.end() ? begin_ : found->second;
}

}  // namespace culvert::model
