// The account, sites, actors and groups.

#include <algorithm>
#include <set>

#include "culvert/admin/encode.h"
#include "culvert/admin/handlers.h"
#include "culvert/admin/input.h"
#include "culvert/admin/names.h"
#include "culvert/portal/fields.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;
using portal::ConfigurationValue;

json::object encode_now(const Call& call, const portal::Site& site) {
    return encode(site, call.storage().load_directory(), count_gateways(call.storage(), call.tools.surroundings));
}
json::object encode_now(const Call& call, const portal::Actor& actor) {
    return encode(actor, call.storage().load_directory(), call.storage().count_clients());
}
json::object encode_now(const Call& call, const portal::Group& group) {
    return encode(group, call.storage().load_directory());
}

/// Writes a row that is new or changed; `kind` is the plural.
template <typename Row>
http::Response store(const Call& call, const Row& row, const Row* before, const std::string& type,
                     const std::string& kind) {
    json::object shown;
    call.storage().in_transaction([&] {
        const auto old = before == nullptr ? json::object{} : encode_now(call, *before);
        if (before != nullptr) {
            call.check_match(old);
        }
        call.storage().put(row);
        shown = encode_now(call, row);
        call.record({before == nullptr ? "create" : "update", type, row.id.to_string(), row.name, old, shown});
    });
    call.tell(kind, row.id.to_string());
    return before == nullptr ? respond_created("/" + kind + "/" + row.id.to_string(), shown) : respond(200, shown);
}

template <typename Row>
http::Response remove(const Call& call, const Row& row, const std::string& type, const std::string& kind) {
    json::object shown;
    call.storage().in_transaction([&] {
        shown = encode_now(call, row);
        call.check_match(shown);
        call.storage().erase(row.id);
        call.record({"delete", type, row.id.to_string(), row.name, shown, {}});
    });
    call.tell(kind, row.id.to_string());
    return respond(200, shown);
}

std::size_t count_admins(const portal::Directory& directory) {
    return static_cast<std::size_t>(std::ranges::count_if(directory.actors, [](const auto& row) {
        return row.second.type == portal::ActorType::kAdminUser && !row.second.is_disabled;
    }));
}

void require_another_admin(const portal::Directory& directory, const portal::Actor& actor, std::string_view what) {
    if (actor.type == portal::ActorType::kAdminUser && !actor.is_disabled && count_admins(directory) == 1) {
        throw conflict("The last administrator can't be " + std::string{what} + ".");
    }
}

/// Programs must not make anybody who may do more than they themselves (spec/portal-product.md section 1.3).
bool may_grant(const Call& call, portal::ActorType type) {
    return call.subject.kind == Requester::Kind::kAdministrator ||
           (type != portal::ActorType::kAdminUser && type != portal::ActorType::kApiClient);
}

http::Response write_site(Call& call, const portal::Site* before) {
    const auto directory = call.storage().load_directory();
    auto site = before != nullptr ? *before : portal::Site{SiteId::random(call.tools.rng), ""};
    Input input{call.body, call.wrapped_as("site")};
    input.read_or_require(before == nullptr, "name", [&](const ConfigurationValue& value) {
        site.name = portal::fields::site_name(value);
        require_free_name(value, directory.sites, site);
    });
    input.check();
    return store(call, site, before, "site", "sites");
}

http::Response write_actor(Call& call, const portal::Actor* before) {
    const auto directory = call.storage().load_directory();
    auto actor = before != nullptr
                     ? *before
                     : portal::Actor{.id = portal::ActorId::random(call.tools.rng), .name = "", .email = {}};
    const auto former_type = actor.type;
    Input input{call.body, "actor"};
    input.read_or_require(before == nullptr, "name", [&](const ConfigurationValue& value) {
        actor.name = portal::fields::actor_name(value);
        require_free_name(value, directory.actors, actor);
    });
    input.read_or_require(before == nullptr, "type", [&](const ConfigurationValue& value) {
        actor.type = portal::fields::actor_type(value);
        if ((before == nullptr || actor.type != former_type) && !may_grant(call, actor.type)) {
            value.fail("you may not make somebody an " + std::string{portal::fields::to_string(actor.type)});
        }
    });
    if (input.is_null("email")) {
        actor.email.reset();
    }
    input.read("email", [&](const ConfigurationValue& value) {
        actor.email = portal::fields::actor_email(value);
        for (const auto& [id, other] : directory.actors) {
            if (id != actor.id && other.email && portal::contains_text(*other.email, *actor.email) &&
                other.email->size() == actor.email->size()) {
                value.fail("has already been taken");
            }
        }
    });
    input.read("is_disabled", [&](const auto& value) { actor.is_disabled = value.boolean(); });
    input.check();
    if (before != nullptr && actor.is_disabled && !before->is_disabled) {
        require_another_admin(directory, *before, "disabled");
    }
    if (before != nullptr && before->type != actor.type) {
        require_another_admin(directory, *before, "made anything else");
        if (before->type == portal::ActorType::kApiClient || actor.type == portal::ActorType::kApiClient) {
            throw conflict("API clients stay what they are; create another actor.");
        }
    }
    return store(call, actor, before, "actor", "actors");
}

http::Response write_group(Call& call, const portal::Group* before) {
    const auto directory = call.storage().load_directory();
    auto group = before != nullptr ? *before : portal::Group{portal::GroupId::random(call.tools.rng), ""};
    Input input{call.body, call.wrapped_as("group")};
    input.read_or_require(before == nullptr, "name", [&](const ConfigurationValue& value) {
        group.name = portal::fields::group_name(value);
        require_free_name(value, directory.groups, group);
    });
    input.check();
    return store(call, group, before, "group", "groups");
}

/// Makes exactly `wanted` members.
http::Response store_members(Call& call, const portal::Group& group, std::set<portal::ActorId> wanted) {
    json::array ids;
    call.storage().in_transaction([&] {
        const auto directory = call.storage().load_directory();
        json::array old;
        json::array now;
        for (const auto& actor : wanted) {
            ids.emplace_back(actor.to_string());
            now.emplace_back(directory.actors.at(actor).name);
        }
        for (const auto& [id, membership] : directory.memberships) {
            if (membership.group != group.id) {
                continue;
            }
            old.emplace_back(directory.actors.at(membership.actor).name);
            if (wanted.erase(membership.actor) == 0) {
                call.storage().erase(id);
            }
        }
        for (const auto& actor : wanted) {
            call.storage().put(portal::Membership{portal::MembershipId::random(call.tools.rng), actor, group.id});
        }
        call.record({"update",
                     "group",
                     group.id.to_string(),
                     group.name,
                     {{"members", std::move(old)}},
                     {{"members", std::move(now)}}});
    });
    call.tell("groups", group.id.to_string());
    return respond(200, {{"actor_ids", std::move(ids)}});
}

/// The actors in a list of ids, as strings or as objects with an "actor_id".
std::set<portal::ActorId> parse_members(const Call& call, const json::value& list, const std::string& field) {
    std::set<portal::ActorId> actors;
    const auto* items = list.if_array();
    if (items == nullptr) {
        throw ApiProblem{422, "validation_failed", "Some fields are not valid.", {{field, {"must be a list"}}}};
    }
    for (const auto& item : *items) {
        const auto* object = item.if_object();
        const auto* text = object == nullptr ? &item : object->if_contains("actor_id");
        const auto id = text != nullptr && text->is_string()
                            ? portal::ActorId::parse({text->get_string().data(), text->get_string().size()})
                            : std::nullopt;
        if (!id || !call.directory().actors.contains(*id)) {
            throw ApiProblem{422,
                             "validation_failed",
                             "Some fields are not valid.",
                             {{field, {"has an actor that does not exist"}}}};
        }
        actors.insert(*id);
    }
    return actors;
}

const json::value& member_of(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    const auto* member = object == nullptr ? nullptr : object->if_contains({key.data(), key.size()});
    if (member == nullptr) {
        throw bad_request("The body must be a JSON object with \"" + std::string{key} + "\".");
    }
    return *member;
}

}  // namespace

// --- The account ---

Answer show_account(Call& call) {
    return respond(200, encode(call.directory().account));
}

Answer update_account(Call& call) {
    const auto before = call.storage().load_directory().account;
    auto account = before;
    Input input{call.body, "account"};
    input.read_or_require(false, "name",
                          [&](const auto& value) { account.name = portal::fields::account_name(value); });
    input.read_or_require(false, "slug", [&](const auto& value) { account.slug = portal::fields::slug(value); });
    input.read("client_session_lifetime_secs", [&](const auto& value) {
        account.client_session_lifetime = portal::fields::client_session_lifetime(value);
    });
    if (input.is_null("search_domain")) {
        account.search_domain.reset();
    }
    input.read("search_domain",
               [&](const auto& value) { account.search_domain = portal::fields::search_domain(value); });
    input.read("upstream_dns", [&](const auto& value) { account.upstream_dns = portal::fields::upstream_dns(value); });
    input.read("upstream_doh", [&](const auto& value) { account.upstream_doh = portal::fields::upstream_doh(value); });
    if (!account.upstream_dns.empty() && !account.upstream_doh.empty()) {
        input.fail("upstream_doh", portal::fields::kNeverAsked);
    }
    input.check();
    const auto shown = encode(account);
    call.storage().in_transaction([&] {
        call.check_match(encode(before));
        call.storage().put(account);
        call.record({"update", "account", account.id.to_string(), account.name, encode(before), shown});
    });
    call.tell("account", account.id.to_string());
    return respond(200, shown);
}

// --- Sites ---

Answer list_sites(Call& call) {
    const auto counts = count_gateways(call.storage(), call.tools.surroundings);
    return respond_list(call, call.directory().sites, by_name,
                        [&](const portal::Site& site) { return encode(site, call.directory(), counts); });
}

Answer create_site(Call& call) {
    return write_site(call, nullptr);
}

Answer show_site(Call& call) {
    return respond(200, encode_now(call, call.row(call.directory().sites)));
}

Answer update_site(Call& call) {
    const auto site = call.row(call.directory().sites);
    return write_site(call, &site);
}

Answer delete_site(Call& call) {
    const auto site = call.row(call.directory().sites);
    return remove(call, site, "site", "sites");
}

// --- Actors ---

Answer list_actors(Call& call) {
    const auto clients = call.storage().count_clients();
    const auto matches = [](const portal::Actor& actor, std::string_view text) -> std::optional<std::string> {
        if (auto key = by_name(actor, text)) {
            return key;
        }
        return actor.email && portal::contains_text(*actor.email, text) ? sort_key(actor)
                                                                        : std::optional<std::string>{};
    };
    return respond_list(call, call.directory().actors, matches,
                        [&](const portal::Actor& actor) { return encode(actor, call.directory(), clients); });
}

Answer create_actor(Call& call) {
    return write_actor(call, nullptr);
}

Answer show_actor(Call& call) {
    return respond(200, encode_now(call, call.row(call.directory().actors)));
}

Answer update_actor(Call& call) {
    const auto actor = call.row(call.directory().actors);
    if (!may_grant(call, actor.type)) {
        throw ApiProblem{403, "forbidden", "A token may not change those who may do more than it."};
    }
    return write_actor(call, &actor);
}

Answer delete_actor(Call& call) {
    const auto actor = call.row(call.directory().actors);
    if (!may_grant(call, actor.type)) {
        throw ApiProblem{403, "forbidden", "A token may not delete those who may do more than it."};
    }
    require_another_admin(call.storage().load_directory(), actor, "deleted");
    return remove(call, actor, "actor", "actors");
}

// --- Groups ---

Answer list_groups(Call& call) {
    return respond_list(call, call.directory().groups, by_name,
                        [&](const portal::Group& group) { return encode(group, call.directory()); });
}

Answer create_group(Call& call) {
    return write_group(call, nullptr);
}

Answer show_group(Call& call) {
    return respond(200, encode_now(call, call.row(call.directory().groups)));
}

Answer update_group(Call& call) {
    const auto group = call.row(call.directory().groups);
    return write_group(call, &group);
}

Answer delete_group(Call& call) {
    const auto group = call.row(call.directory().groups);
    return remove(call, group, "group", "groups");
}

Answer list_memberships(Call& call) {
    const auto& directory = call.directory();
    const auto& group = call.row(directory.groups);
    std::map<portal::ActorId, portal::Actor> members;
    for (const auto& [id, membership] : directory.memberships) {
        if (membership.group == group.id) {
            members.insert(*directory.actors.find(membership.actor));
        }
    }
    return respond_list(call, members, by_name, [&](const portal::Actor& actor) {
        const auto type = portal::fields::to_string(actor.type);
        return json::object{
            {"id", actor.id.to_string()}, {"name", actor.name}, {"type", json::string{type.data(), type.size()}}};
    });
}

Answer replace_memberships(Call& call) {
    const auto group = call.row(call.directory().groups);
    return store_members(call, group, parse_members(call, member_of(call.body, "memberships"), "memberships"));
}

Answer change_memberships(Call& call) {
    const auto group = call.row(call.directory().groups);
    const auto& change = member_of(call.body, "memberships");
    const auto ids = [&](const char* field) {
        const auto* list = change.is_object() ? change.get_object().if_contains(field) : nullptr;
        return list == nullptr ? std::set<portal::ActorId>{} : parse_members(call, *list, field);
    };
    std::set<portal::ActorId> wanted;
    for (const auto& [id, membership] : call.directory().memberships) {
        if (membership.group == group.id) {
            wanted.insert(membership.actor);
        }
    }
    for (const auto& actor : ids("remove")) {
        wanted.erase(actor);
    }
    wanted.merge(ids("add"));
    return store_members(call, group, std::move(wanted));
}

}  // namespace culvert::admin
