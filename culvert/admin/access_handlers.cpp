// Resources, policies, and who may reach what.

#include <algorithm>
#include <set>

#include "culvert/admin/encode.h"
#include "culvert/admin/handlers.h"
#include "culvert/admin/input.h"
#include "culvert/admin/names.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/fields.h"
#include "culvert/portal/policy_condition_fields.h"
#include "culvert/portal/resource_address.h"
#include "culvert/portal_api/external_id.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;
using portal::ConfigurationValue;
using portal::ResourceType;

std::string policy_title(const portal::Directory& directory, const portal::Policy& policy) {
    const auto group = directory.groups.find(policy.group);
    const auto resource = directory.resources.find(policy.resource);
    return (group == directory.groups.end() ? "?" : group->second.name) + " -> " +
           (resource == directory.resources.end() ? "?" : resource->second.name);
}

std::string title_of(const portal::Directory&, const portal::Resource& resource) {
    return resource.name;
}
std::string title_of(const portal::Directory& directory, const portal::Policy& policy) {
    return policy_title(directory, policy);
}

template <typename Row>
http::Response store_grant(const Call& call, const Row& row, const Row* before, const std::string& type,
                           const std::string& kind) {
    json::object shown;
    call.storage().in_transaction([&] {
        const auto directory = call.storage().load_directory();
        const auto old = before == nullptr ? json::object{} : encode(*before, directory);
        if (before != nullptr) {
            call.check_match(old);
        }
        call.storage().put(row);
        const auto after = call.storage().load_directory();
        shown = encode(row, after);
        call.record(
            {before == nullptr ? "create" : "update", type, row.id.to_string(), title_of(after, row), old, shown});
    });
    call.tell(kind, row.id.to_string());
    return before == nullptr ? respond_created("/" + kind + "/" + row.id.to_string(), shown) : respond(200, shown);
}

template <typename Row>
http::Response remove_grant(const Call& call, const Row& row, const std::string& type, const std::string& kind) {
    json::object shown;
    call.storage().in_transaction([&] {
        const auto directory = call.storage().load_directory();
        shown = encode(row, directory);
        call.check_match(shown);
        call.storage().erase(row.id);
        call.record({"delete", type, row.id.to_string(), title_of(directory, row), shown, {}});
    });
    call.tell(kind, row.id.to_string());
    return respond(200, shown);
}

/// An id of a row there is, as a string.
template <typename Id, typename Row>
Id existing(const ConfigurationValue& value, const std::map<Id, Row>& rows) {
    const auto id = Id::parse(value.text(0, portal::kMaxTextCharacters));
    if (!id || !rows.contains(*id)) {
        value.fail("does not exist");
    }
    return *id;
}

std::vector<SiteId> parse_sites(const ConfigurationValue& value, const portal::Directory& directory, bool is_wrapped) {
    std::set<SiteId> sites;
    for (const auto& item : value.items()) {
        if (!is_wrapped) {
            sites.insert(existing(item, directory.sites));
            continue;
        }
        item.check_keys({"gateway_group_id", "site_id"});
        const auto id = item.find("site_id");
        sites.insert(existing(id ? *id : item.get("gateway_group_id"), directory.sites));
    }
    if (sites.empty()) {
        value.fail("must name at least one site");
    }
    return {sites.begin(), sites.end()};
}

std::vector<portal::PoolMember> parse_devices(const ConfigurationValue& value, const portal::Directory& directory) {
    std::set<portal::PoolMember> members;
    for (const auto& item : value.items()) {
        item.check_keys({"actor_id", "external_id"});
        members.insert({existing(item.get("actor_id"), directory.actors),
                        portal_api::to_external_id(item.get("external_id").text(1, portal::kMaxTextCharacters))});
        if (members.size() > portal::kMaxPoolDevices) {
            value.fail("names more than " + std::to_string(portal::kMaxPoolDevices) + " devices");
        }
    }
    return {members.begin(), members.end()};
}

/// Where a resource is: what depends on its type.
void read_place(Input& input, const portal::Directory& directory, portal::Resource& resource, bool is_new,
                bool is_of_new_type) {
    const bool is_pool = resource.type == ResourceType::kStaticDevicePool;
    const bool has_address = !is_pool && resource.type != ResourceType::kInternet;
    if (has_address) {
        input.read_or_require(is_new || is_of_new_type, "address", [&](const ConfigurationValue& value) {
            resource.address = portal::fields::resource_address(value, resource.type);
        });
    } else {
        resource.address.clear();
        input.read("address", [&](const ConfigurationValue& value) {
            if (!value.text(0, portal::kMaxTextCharacters).empty()) {
                value.fail("is for resources of other types");
            }
        });
    }
    if (resource.type != ResourceType::kDns) {
        resource.ip_stack = portal::IpStack::kDual;
    }
    input.read("ip_stack",
               [&](const auto& value) { resource.ip_stack = portal::fields::ip_stack(value, resource.type); });
    if (is_pool) {
        resource.sites.clear();
        input.read_or_require(is_new || is_of_new_type, "devices",
                              [&](const auto& value) { resource.members = parse_devices(value, directory); });
        return;
    }
    resource.members.clear();
    const auto* sites = input.has("connections") && !input.has("site_ids") ? "connections" : "site_ids";
    input.read_or_require(is_new || resource.sites.empty(), sites, [&](const auto& value) {
        resource.sites = parse_sites(value, directory, std::string_view{sites} == "connections");
    });
}

http::Response write_resource(Call& call, const portal::Resource* before) {
    const auto directory = call.storage().load_directory();
    auto resource = before != nullptr ? *before
                                      : portal::Resource{.id = ResourceId::random(call.tools.rng),
                                                         .name = "",
                                                         .address = "",
                                                         .address_description = {},
                                                         .filters = {},
                                                         .sites = {}};
    const bool is_new = before == nullptr;
    Input input{call.body, "resource"};
    input.read_or_require(is_new, "name", [&](const ConfigurationValue& value) {
        resource.name = portal::fields::resource_name(value);
        require_free_name(value, directory.resources, resource);
    });
    input.read_or_require(is_new, "type", [&](const ConfigurationValue& value) {
        resource.type = portal::fields::resource_type(value);
        const auto is_another = [&](const auto& row) {
            return row.second.type == ResourceType::kInternet && row.first != resource.id;
        };
        if (resource.type == ResourceType::kInternet && std::ranges::any_of(directory.resources, is_another)) {
            value.fail("internet: there can be only one, and there is one");
        }
    });
    if (input.is_null("address_description")) {
        resource.address_description.reset();
    }
    input.read("address_description", [&](const ConfigurationValue& value) {
        resource.address_description = portal::fields::address_description(value);
    });
    // Absent: unchanged. The reference opens all ports then.
    input.read("filters", [&](const auto& value) { resource.filters = portal::fields::filters(value); });
    read_place(input, directory, resource, is_new, !is_new && before->type != resource.type);
    input.check();
    return store_grant(call, resource, before, "resource", "resources");
}

http::Response write_policy(Call& call, const portal::Policy* before) {
    const auto directory = call.storage().load_directory();
    auto policy = before != nullptr
                      ? *before
                      : portal::Policy{.id = portal::PolicyId::random(call.tools.rng), .group = {}, .resource = {}};
    const bool is_new = before == nullptr;
    Input input{call.body, "policy"};
    const auto* group = input.has("actor_group_id") && !input.has("group_id") ? "actor_group_id" : "group_id";
    input.read_or_require(is_new, group, [&](const auto& value) { policy.group = existing(value, directory.groups); });
    input.read_or_require(is_new, "resource_id",
                          [&](const auto& value) { policy.resource = existing(value, directory.resources); });
    if (input.is_null("description")) {
        policy.description.reset();
    }
    input.read("description",
               [&](const auto& value) { policy.description = portal::fields::policy_description(value); });
    input.read("is_disabled", [&](const auto& value) { policy.is_disabled = value.boolean(); });
    input.read("flow_logs", [&](const auto& value) { policy.logs_flows = value.boolean(); });
    input.read("conditions", [&](const auto& value) { policy.conditions = portal::fields::policy_conditions(value); });
    input.check();
    for (const auto& [id, other] : directory.policies) {
        if (id != policy.id && other.group == policy.group && other.resource == policy.resource) {
            input.fail("group_id", "has a policy for this resource already");
        }
    }
    input.check();
    return store_grant(call, policy, before, "policy", "policies");
}

// --- Why somebody may or may not reach something ---

/// Of one actor, that conditions are tried on: those seen last.
constexpr std::size_t kMaxDevices = 50;

class Explanation {
public:
    Explanation(const portal::Directory& directory, const portal::Actor& actor, const portal::Resource& resource,
                UnixSeconds now)
        : directory_{directory}, actor_{actor}, resource_{resource}, now_{now} {}

    json::object run(portal::Storage& storage, Surroundings& surroundings) {
        for (auto& client : storage.list_clients(actor_.id, {.text = "", .skip = 0, .limit = kMaxDevices}).rows) {
            if (!client.is_revoked) {
                devices_.push_back(std::move(client));
            }
        }
        if (actor_.is_disabled) {
            add("actor_disabled", actor_.name + " is disabled, and so reaches nothing.");
        }
        const bool is_granted = explain_policies() && !actor_.is_disabled;
        const bool is_somewhere = explain_place(storage, surroundings);
        return {{"may", is_granted && is_somewhere}, {"reasons", std::move(reasons_)}};
    }

private:
    json::object& add(std::string_view kind, std::string text) {
        reasons_.emplace_back(
            json::object{{"kind", json::string{kind.data(), kind.size()}}, {"text", std::move(text)}});
        return reasons_.back().as_object();
    }

    [[nodiscard]] bool is_member(const portal::GroupId& group) const {
        return std::ranges::any_of(directory_.memberships, [&](const auto& row) {
            return row.second.actor == actor_.id && row.second.group == group;
        });
    }

    /// Whether any of them lets any device of the actor through.
    bool explain_policies() {
        bool has_policy = false;
        bool is_granted = false;
        for (const auto& [id, policy] : directory_.policies) {
            if (policy.resource != resource_.id) {
                continue;
            }
            has_policy = true;
            const auto& group = directory_.groups.at(policy.group).name;
            if (!is_member(policy.group)) {
                add("not_in_group",
                    "A policy grants it to the group " + group + ", which " + actor_.name + " is not a member of.");
            } else if (policy.is_disabled) {
                add("policy_disabled", "The policy for the group " + group + " is disabled.");
            } else {
                is_granted = explain_conditions(policy, group) || is_granted;
            }
            auto& reason = reasons_.back().as_object();
            reason["policy_id"] = id.to_string();
            reason["group_id"] = policy.group.to_string();
        }
        if (!has_policy) {
            add("no_policy", "No policy grants this resource to anybody.");
        }
        return is_granted;
    }

    /// Of a policy that is meant for the actor: whether it counts for any of its devices.
    bool explain_conditions(const portal::Policy& policy, const std::string& group) {
        if (policy.conditions.empty()) {
            add("granted", "A policy grants it to the group " + group + ", which " + actor_.name + " is a member of.");
            return true;
        }
        const auto has_conditions = "The policy for the group " + group + " has conditions";
        if (devices_.empty()) {
            add("conditions", has_conditions + ", and " + actor_.name + " has no device that could meet them.");
            return false;
        }
        std::string meeting;
        std::string failing;
        json::array violated;
        portal::TimeWindows windows;
        for (const auto& device : devices_) {
            const auto verdict = portal::evaluate(policy.conditions,
                                                  {.remote_ip = device.last_seen.remote_ip,
                                                   .is_verified = device.verified_at.has_value(),
                                                   .auth_provider = std::nullopt,
                                                   .now = now_},
                                                  windows);
            if (verdict.passes()) {
                meeting += (meeting.empty() ? "" : ", ") + device.name;
                continue;
            }
            failing += (failing.empty() ? "" : "; ") + device.name + ": ";
            for (const auto property : verdict.violated) {
                const auto name = portal::to_string(property);
                failing += std::string{failing.ends_with(": ") ? "" : ", "} + std::string{name};
                if (const json::string one{name.data(), name.size()}; std::ranges::count(violated, one) == 0) {
                    violated.emplace_back(one);
                }
            }
        }
        const auto unmet = failing.empty() ? "." : "; not met by " + failing + ".";
        if (!meeting.empty()) {
            add("granted", has_conditions + ", which are met by " + meeting + unmet);
            return true;
        }
        add("conditions", has_conditions + ", which no device meets (" + failing + ").")["violated_properties"] =
            std::move(violated);
        return false;
    }

    /// Whether there is anything to reach, or may be once a device comes back.
    bool explain_place(portal::Storage& storage, Surroundings& surroundings) {
        if (resource_.type == ResourceType::kStaticDevicePool) {
            return true;
        }
        if (resource_.sites.empty()) {
            add("no_site", "The resource has no site.");
            return false;
        }
        bool is_served = false;
        for (const auto& gateway : storage.list_gateways()) {
            if (std::ranges::count(resource_.sites, gateway.site) > 0 && surroundings.is_online(gateway.id)) {
                is_served = true;
                add("gateway_online", "The gateway " + gateway.name + " is online.")["gateway_id"] =
                    gateway.id.to_string();
            }
        }
        if (!is_served) {
            add("no_gateway_online", "No gateway of the resource's sites is online.");
        }
        return is_served;
    }

    const portal::Directory& directory_;
    const portal::Actor& actor_;
    const portal::Resource& resource_;
    UnixSeconds now_;
    std::vector<portal::KnownClient> devices_;
    json::array reasons_;
};

}  // namespace

Answer list_resources(Call& call) {
    const auto matches = [](const portal::Resource& resource, std::string_view text) -> std::optional<std::string> {
        return portal::contains_text(resource.name, text) || portal::contains_text(resource.address, text)
                   ? std::optional{sort_key(resource)}
                   : std::nullopt;
    };
    return respond_list(call, call.directory().resources, matches,
                        [&](const portal::Resource& resource) { return encode(resource, call.directory()); });
}

Answer create_resource(Call& call) {
    return write_resource(call, nullptr);
}

Answer show_resource(Call& call) {
    return respond(200, encode(call.row(call.directory().resources), call.directory()));
}

Answer update_resource(Call& call) {
    const auto resource = call.row(call.directory().resources);
    return write_resource(call, &resource);
}

Answer delete_resource(Call& call) {
    const auto resource = call.row(call.directory().resources);
    return remove_grant(call, resource, "resource", "resources");
}

Answer list_policies(Call& call) {
    const auto group = call.filter<portal::GroupId>("group_id");
    const auto resource = call.filter<ResourceId>("resource_id");
    const auto matches = [&](const portal::Policy& policy, std::string_view text) -> std::optional<std::string> {
        auto title = policy_title(call.directory(), policy);
        const bool is_wanted = (!group || *group == policy.group) && (!resource || *resource == policy.resource) &&
                               (portal::contains_text(title, text) ||
                                (policy.description && portal::contains_text(*policy.description, text)));
        return is_wanted ? std::optional{std::move(title)} : std::nullopt;
    };
    return respond_list(call, call.directory().policies, matches,
                        [&](const portal::Policy& policy) { return encode(policy, call.directory()); });
}

Answer create_policy(Call& call) {
    return write_policy(call, nullptr);
}

Answer show_policy(Call& call) {
    return respond(200, encode(call.row(call.directory().policies), call.directory()));
}

Answer update_policy(Call& call) {
    const auto policy = call.row(call.directory().policies);
    return write_policy(call, &policy);
}

Answer delete_policy(Call& call) {
    const auto policy = call.row(call.directory().policies);
    return remove_grant(call, policy, "policy", "policies");
}

Answer explain_access(Call& call) {
    const auto& directory = call.directory();
    const auto actor_id = call.filter<portal::ActorId>("actor_id");
    const auto resource_id = call.filter<ResourceId>("resource_id");
    if (!actor_id || !resource_id) {
        throw bad_request("Name who and what: /access?actor_id=...&resource_id=...");
    }
    const auto actor = directory.actors.find(*actor_id);
    const auto resource = directory.resources.find(*resource_id);
    if (actor == directory.actors.end() || resource == directory.resources.end()) {
        throw not_found();
    }
    return respond(200, Explanation{directory, actor->second, resource->second, call.wall_now}.run(
                            call.storage(), call.tools.surroundings));
}

}  // namespace culvert::admin
