#include "tests/model/reference/access_model.h"

#include <algorithm>

#include "tests/model/scenario/ids.h"

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

void AccessModel::change(const Action& action, Instant now) {
    if (const auto* create = std::get_if<CreateResource>(&action)) {
        const auto generation = generations_.find(create->resource);
        const auto next = static_cast<std::uint8_t>(generation == generations_.end() ? 0 : generation->second + 1);
        generations_[create->resource] = next;
        const auto& setup = setup_.resources.at(create->resource.value - 1U);
        const auto id = resource_id(create->resource, next);
        resources_[id] = {.number = create->resource,
                          .id = id,
                          .name = name(create->resource),
                          .address = setup.address,
                          .sites = {setup.sites.begin(), setup.sites.end()},
                          .filters = setup.filters,
                          .changed_at = now};
    } else if (const auto* erase = std::get_if<DeleteResource>(&action)) {
        if (const auto* resource = current(erase->resource)) {
            const auto id = resource->id;
            std::erase_if(policies_, [&](const auto& entry) { return entry.first.second == id; });
            resources_.erase(id);
        }
    } else if (const auto* address = std::get_if<SetAddress>(&action)) {
        if (auto* resource = current(address->resource)) {
            resource->address = address->address;
            resource->changed_at = now;
        }
    } else if (const auto* filters = std::get_if<SetFilters>(&action)) {
        if (auto* resource = current(filters->resource)) {
            resource->filters = filters->filters;
            resource->changed_at = now;
        }
    } else if (const auto* sites = std::get_if<SetSites>(&action)) {
        if (auto* resource = current(sites->resource)) {
            resource->sites = {sites->sites.begin(), sites->sites.end()};
            resource->changed_at = now;
        }
    } else if (const auto* policy = std::get_if<CreatePolicy>(&action)) {
        if (const auto* resource = current(policy->resource)) {
            policies_[{policy->group, resource->id}] = {};
        }
    } else if (const auto* gone = std::get_if<DeletePolicy>(&action)) {
        if (const auto* resource = current(gone->resource)) {
            policies_.erase({gone->group, resource->id});
        }
    } else if (const auto* toggle = std::get_if<SetPolicyDisabled>(&action)) {
        if (const auto* resource = current(toggle->resource)) {
            policies_[{toggle->group, resource->id}] = {toggle->is_disabled};
        }
    } else if (const auto* join = std::get_if<JoinGroup>(&action)) {
        memberships_.emplace(join->client, join->group);
    } else if (const auto* leave = std::get_if<LeaveGroup>(&action)) {
        memberships_.erase({leave->client, leave->group});
    } else if (const auto* revoke = std::get_if<RevokeToken>(&action)) {
        revoked_.emplace(revoke->device, now);
    } else if (const auto* rename = std::get_if<RenameSite>(&action)) {
        site_names_[rename->site] += "'";
    } else if (const auto* domain = std::get_if<SetSearchDomain>(&action)) {
        search_domain_ = domain->domain;
    }
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
