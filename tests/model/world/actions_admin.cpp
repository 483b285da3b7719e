#include <algorithm>

#include "tests/model/scenario/ids.h"
#include "tests/model/world/actions.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

/// The first row for which `is_wanted` holds.
template <typename Rows, typename Predicate>
auto find_row(const Rows& rows, const Predicate& is_wanted) {
    using Row = typename Rows::mapped_type;
    const auto found = std::ranges::find_if(rows, [&](const auto& entry) { return is_wanted(entry.second); });
    return found == rows.end() ? std::nullopt : std::optional<Row>{found->second};
}

}  // namespace

std::optional<ResourceId> Actions::current_id(ResourceNo resource) const {
    const auto generation = generations_.find(resource);
    const auto id = resource_id(resource, generation == generations_.end() ? std::uint8_t{0} : generation->second);
    return world_.portal_.storage().load_directory().resources.contains(id) ? std::optional{id} : std::nullopt;
}

bool Actions::apply(const CreateResource& action) {
    if (current_id(action.resource) || action.resource.value > world_.scenario_.setup.resources.size()) {
        return false;
    }
    const auto row = world_.portal_.make_resource(action.resource, ++generations_[action.resource]);
    world_.portal_.administer([&](portal::Storage& storage) { storage.put(row); }, world_.now_);
    return true;
}

bool Actions::apply(const DeleteResource& action) {
    const auto id = current_id(action.resource);
    if (id) {
        world_.portal_.administer([&](portal::Storage& storage) { storage.erase(*id); }, world_.now_);
    }
    return id.has_value();
}

namespace {

/// Changes a resource that exists. False if nothing is different afterwards.
template <typename Change>
bool change_resource(PortalProcess& portal, const std::optional<ResourceId>& id, Instant now, const Change& change) {
    if (!id) {
        return false;
    }
    const auto before = portal.storage().load_directory().resources.at(*id);
    auto after = before;
    change(after);
    if (after == before) {
        return false;
    }
    portal.administer([&](portal::Storage& storage) { storage.put(after); }, now);
    return true;
}

}  // namespace

bool Actions::apply(const SetAddress& action) {
    return change_resource(world_.portal_, current_id(action.resource), world_.now_,
                           [&](portal::Resource& row) { row.address = action.address.to_string(); });
}

bool Actions::apply(const SetFilters& action) {
    return change_resource(world_.portal_, current_id(action.resource), world_.now_,
                           [&](portal::Resource& row) { row.filters = PortalProcess::make_filters(action.filters); });
}

bool Actions::apply(const SetSites& action) {
    return change_resource(world_.portal_, current_id(action.resource), world_.now_, [&](portal::Resource& row) {
        row.sites.clear();
        std::ranges::transform(action.sites, std::back_inserter(row.sites), site_id);
        std::ranges::sort(row.sites);
    });
}

bool Actions::apply(const CreatePolicy& action) {
    const auto id = current_id(action.resource);
    if (!id) {
        return false;
    }
    const auto group = world_.portal_.group(action.group);
    if (find_row(world_.portal_.storage().load_directory().policies,
                 [&](const portal::Policy& row) { return row.group == group && row.resource == *id; })) {
        return false;
    }
    portal::Policy row{.id = portal::PolicyId::random(world_.portal_.rng()), .group = group, .resource = *id};
    world_.portal_.administer([&](portal::Storage& storage) { storage.put(row); }, world_.now_);
    return true;
}

bool Actions::apply(const DeletePolicy& action) {
    const auto id = current_id(action.resource);
    const auto group = world_.portal_.group(action.group);
    const auto row = find_row(world_.portal_.storage().load_directory().policies, [&](const portal::Policy& policy) {
        return id && policy.group == group && policy.resource == *id;
    });
    if (row) {
        world_.portal_.administer([&](portal::Storage& storage) { storage.erase(row->id); }, world_.now_);
    }
    return row.has_value();
}

bool Actions::apply(const SetPolicyDisabled& action) {
    const auto id = current_id(action.resource);
    const auto group = world_.portal_.group(action.group);
    auto row = find_row(world_.portal_.storage().load_directory().policies, [&](const portal::Policy& policy) {
        return id && policy.group == group && policy.resource == *id;
    });
    if (!row || row->is_disabled == action.is_disabled) {
        return false;
    }
    row->is_disabled = action.is_disabled;
    world_.portal_.administer([&](portal::Storage& storage) { storage.put(*row); }, world_.now_);
    return true;
}

bool Actions::apply(const JoinGroup& action) {
    const auto actor = world_.portal_.actor(action.client);
    const auto group = world_.portal_.group(action.group);
    if (find_row(world_.portal_.storage().load_directory().memberships,
                 [&](const portal::Membership& row) { return row.actor == actor && row.group == group; })) {
        return false;
    }
    const portal::Membership row{portal::MembershipId::random(world_.portal_.rng()), actor, group};
    world_.portal_.administer([&](portal::Storage& storage) { storage.put(row); }, world_.now_);
    return true;
}

bool Actions::apply(const LeaveGroup& action) {
    const auto actor = world_.portal_.actor(action.client);
    const auto group = world_.portal_.group(action.group);
    const auto row = find_row(world_.portal_.storage().load_directory().memberships,
                              [&](const portal::Membership& m) { return m.actor == actor && m.group == group; });
    if (row) {
        world_.portal_.administer([&](portal::Storage& storage) { storage.erase(row->id); }, world_.now_);
    }
    return row.has_value();
}

bool Actions::apply(const RevokeToken& action) {
    const auto id = world_.portal_.token_id(action.device);
    if (!world_.portal_.storage().find_token(id)) {
        return false;
    }
    world_.portal_.administer([&](portal::Storage& storage) { storage.erase(id); }, world_.now_);
    return true;
}

bool Actions::apply(const RenameSite& action) {
    const auto directory = world_.portal_.storage().load_directory();
    const auto found = directory.sites.find(site_id(action.site));
    if (found == directory.sites.end()) {
        return false;
    }
    auto row = found->second;
    row.name += "'";
    world_.portal_.administer([&](portal::Storage& storage) { storage.put(row); }, world_.now_);
    return true;
}

bool Actions::apply(const SetSearchDomain& action) {
    auto account = world_.portal_.storage().load_directory().account;
    if (account.search_domain == action.domain) {
        return false;
    }
    account.search_domain = action.domain;
    world_.portal_.administer([&](portal::Storage& storage) { storage.put(account); }, world_.now_);
    return true;
}

}  // namespace culvert::model
