#include "culvert/admin/routes.h"

#include <array>

namespace culvert::admin {
namespace {

using enum Access;

constexpr auto kShared = kAdministratorsAndPrograms;

constexpr auto kRoutes = std::to_array<Route>({
    {"GET", "/setup", kEverybody, show_setup},
    {"POST", "/setup", kEverybody, set_up},
    {"POST", "/session", kEverybody, sign_in},
    {"GET", "/session", kAdministrators, show_session},
    {"DELETE", "/session", kAdministrators, sign_out},
    {"PUT", "/session/password", kAdministrators, change_own_password},

    {"GET", "/account", kShared, show_account},
    {"PATCH", "/account", kShared, update_account},
    {"PUT", "/account", kShared, update_account},

    {"GET", "/sites", kShared, list_sites},
    {"POST", "/sites", kShared, create_site},
    {"GET", "/sites/:id", kShared, show_site},
    {"PATCH", "/sites/:id", kShared, update_site},
    {"PUT", "/sites/:id", kShared, update_site},
    {"DELETE", "/sites/:id", kShared, delete_site},
    {"GET", "/sites/:id/gateways", kShared, list_site_gateways},
    {"GET", "/sites/:id/tokens", kShared, list_site_tokens},
    {"POST", "/sites/:id/tokens", kShared, create_site_token},
    {"DELETE", "/sites/:id/tokens", kShared, delete_site_tokens},
    {"DELETE", "/sites/:id/tokens/:token_id", kShared, delete_site_token},

    {"GET", "/gateways", kShared, list_gateways},
    {"GET", "/gateways/:id", kShared, show_gateway},
    {"DELETE", "/gateways/:id", kShared, revoke_gateway},
    {"PUT", "/gateways/:id/revoke", kShared, revoke_gateway},
    {"PUT", "/gateways/:id/restore", kShared, restore_gateway},

    {"GET", "/actors", kShared, list_actors},
    {"POST", "/actors", kShared, create_actor},
    {"GET", "/actors/:id", kShared, show_actor},
    {"PATCH", "/actors/:id", kShared, update_actor},
    {"PUT", "/actors/:id", kShared, update_actor},
    {"DELETE", "/actors/:id", kShared, delete_actor},
    {"PUT", "/actors/:id/password", kAdministrators, set_password},
    {"GET", "/actors/:id/tokens", kShared, list_actor_tokens},
    {"POST", "/actors/:id/tokens", kShared, create_actor_token},
    {"DELETE", "/actors/:id/tokens", kShared, delete_actor_tokens},
    {"DELETE", "/actors/:id/tokens/:token_id", kShared, delete_actor_token},

    {"GET", "/groups", kShared, list_groups},
    {"POST", "/groups", kShared, create_group},
    {"GET", "/groups/:id", kShared, show_group},
    {"PATCH", "/groups/:id", kShared, update_group},
    {"PUT", "/groups/:id", kShared, update_group},
    {"DELETE", "/groups/:id", kShared, delete_group},
    {"GET", "/groups/:id/memberships", kShared, list_memberships},
    {"PUT", "/groups/:id/memberships", kShared, replace_memberships},
    {"PATCH", "/groups/:id/memberships", kShared, change_memberships},

    {"GET", "/resources", kShared, list_resources},
    {"POST", "/resources", kShared, create_resource},
    {"GET", "/resources/:id", kShared, show_resource},
    {"PATCH", "/resources/:id", kShared, update_resource},
    {"PUT", "/resources/:id", kShared, update_resource},
    {"DELETE", "/resources/:id", kShared, delete_resource},

    {"GET", "/policies", kShared, list_policies},
    {"POST", "/policies", kShared, create_policy},
    {"GET", "/policies/:id", kShared, show_policy},
    {"PATCH", "/policies/:id", kShared, update_policy},
    {"PUT", "/policies/:id", kShared, update_policy},
    {"DELETE", "/policies/:id", kShared, delete_policy},

    {"GET", "/clients", kShared, list_clients},
    {"GET", "/clients/:id", kShared, show_client},
    {"PATCH", "/clients/:id", kShared, update_client},
    {"PUT", "/clients/:id", kShared, update_client},
    {"DELETE", "/clients/:id", kShared, delete_client},
    {"PUT", "/clients/:id/revoke", kShared, revoke_client},
    {"PUT", "/clients/:id/restore", kShared, restore_client},
    {"PUT", "/clients/:id/verify", kShared, verify_client},
    {"PUT", "/clients/:id/unverify", kShared, unverify_client},

    {"GET", "/relays", kAdministrators, list_relays},
    {"DELETE", "/relays/:id", kAdministrators, delete_relay},
    {"GET", "/relay_tokens", kAdministrators, list_relay_tokens},
    {"POST", "/relay_tokens", kAdministrators, create_relay_token},
    {"DELETE", "/relay_tokens/:id", kAdministrators, delete_relay_token},

    {"GET", "/flows", kShared, list_flows},
    {"GET", "/audit", kAdministrators, list_audit},
    {"GET", "/access", kShared, explain_access},
    {"GET", "/events", kAdministrators, open_events},
});

/// What older programs say.
struct Alias {
    std::string_view prefix;
    std::string_view replacement;
    std::string_view wrapper;
};
constexpr std::array<Alias, 2> kAliases = {
    {{"/gateway_groups", "/sites", "gateway_group"}, {"/actor_groups", "/groups", "actor_group"}}};

/// The part of `path` in front of the next slash, which goes with it.
std::string_view take_part(std::string_view& path) {
    path.remove_prefix(1);
    const auto part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    return part;
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    std::vector<std::string> parameters;
    while (pattern.starts_with('/') && path.starts_with('/')) {
        const auto expected = take_part(pattern);
        const auto part = take_part(path);
        if (expected.starts_with(':')) {
            parameters.emplace_back(part);
        } else if (expected != part) {
            return std::nullopt;
        }
    }
    return pattern.empty() && path.empty() ? std::optional{std::move(parameters)} : std::nullopt;
}

}  // namespace

std::span<const Route> routes() {
    return kRoutes;
}

std::optional<RouteMatch> find_route(std::string_view method, std::string_view path) {
    RouteMatch found;
    std::string renamed;
    for (const auto& alias : kAliases) {
        const auto rest = path.starts_with(alias.prefix) ? path.substr(alias.prefix.size()) : std::string_view{"-"};
        if (rest.empty() || rest.starts_with('/')) {
            renamed = std::string{alias.replacement} + std::string{rest};
            found.wrapper = alias.wrapper;
            break;
        }
    }
    const std::string_view wanted = renamed.empty() ? path : std::string_view{renamed};
    for (const auto& route : kRoutes) {
        auto parameters = match(route.pattern, wanted);
        if (!parameters) {
            continue;
        }
        found.allowed += (found.allowed.empty() ? "" : ", ") + std::string{route.method};
        if (route.method == method) {
            found.route = &route;
            found.parameters = *std::move(parameters);
            return found;
        }
    }
    return found.allowed.empty() ? std::nullopt : std::optional{std::move(found)};
}

}  // namespace culvert::admin
