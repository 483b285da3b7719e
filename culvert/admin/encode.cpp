#include "culvert/admin/encode.h"

#include <algorithm>
#include <set>

#include "culvert/base/rfc3339.h"
#include "culvert/portal/fields.h"
#include "culvert/portal/policy_condition_fields.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;

json::string text(std::string_view view) {
    return json::string{view.data(), view.size()};
}

json::value or_null(const std::optional<std::string>& value) {
    return value ? json::value(json::string{*value}) : json::value(nullptr);
}

json::value time_or_null(const std::optional<UnixSeconds>& time) {
    return time ? json::value(json::string{to_rfc3339(*time)}) : json::value(nullptr);
}

json::value address_or_null(const std::optional<net::IpAddress>& address) {
    return address ? json::value(json::string{address->to_string()}) : json::value(nullptr);
}

json::array encode_filters(const std::vector<portal::ResourceFilter>& filters) {
    json::array encoded;
    for (const auto& filter : filters) {
        json::array ports;
        for (const auto& range : filter.ports) {
            const auto first = std::to_string(range.first);
            ports.emplace_back(range.first == range.last ? first : first + " - " + std::to_string(range.last));
        }
        encoded.emplace_back(
            json::object{{"protocol", text(portal::fields::to_string(filter.protocol))}, {"ports", std::move(ports)}});
    }
    return encoded;
}

void add_last_seen(json::object& object, const portal::LastSeen& seen) {
    object["last_seen_at"] = to_rfc3339(seen.at);
    object["last_seen_version"] = seen.version;
    object["last_seen_remote_ip"] = seen.remote_ip.to_string();
    object["last_seen_user_agent"] = seen.user_agent;
}

json::value parsed_or_null(const std::string& text) {
    json::error_code error;
    auto value = json::parse(text, error);
    return error ? json::value(nullptr) : value;
}

}  // namespace

json::object encode(const portal::Account& account) {
    json::array servers;
    for (const auto& server : account.upstream_dns) {
        servers.emplace_back(server.to_string());
    }
    return {{"id", account.id.to_string()},
            {"name", account.name},
            {"slug", account.slug},
            {"search_domain", or_null(account.search_domain)},
            {"upstream_dns", std::move(servers)},
            {"upstream_doh", json::array(account.upstream_doh.begin(), account.upstream_doh.end())},
            {"client_session_lifetime_secs", account.client_session_lifetime.count()},
            {"flow_logs_enabled", account.flow_logging.is_on}};
}

json::object encode(const portal::Site& site, const portal::Directory& directory, const GatewayCounts& counts) {
    const auto count = counts.find(site.id);
    const auto gateways = count == counts.end() ? GatewayCount{} : count->second;
    const auto resources = std::ranges::count_if(
        directory.resources, [&](const auto& row) { return std::ranges::count(row.second.sites, site.id) > 0; });
    return {{"id", site.id.to_string()},
            {"name", site.name},
            {"gateways_online", gateways.online},
            {"gateways", gateways.all},
            {"resources", resources}};
}

GatewayCounts count_gateways(portal::Storage& storage, Surroundings& surroundings) {
    GatewayCounts counts;
    for (const auto& gateway : storage.list_gateways()) {
        auto& count = counts[gateway.site];
        count.all += gateway.is_revoked ? 0 : 1;
        count.online += surroundings.is_online(gateway.id) ? 1 : 0;
    }
    return counts;
}

json::object encode(const portal::Actor& actor, const portal::Directory& directory,
                    const std::map<portal::ActorId, std::size_t>& clients) {
    json::array groups;
    for (const auto& [id, membership] : directory.memberships) {
        if (membership.actor == actor.id) {
            groups.emplace_back(named(directory.groups, membership.group));
        }
    }
    const auto count = clients.find(actor.id);
    return {{"id", actor.id.to_string()},
            {"type", text(portal::fields::to_string(actor.type))},
            {"name", actor.name},
            {"email", or_null(actor.email)},
            {"is_disabled", actor.is_disabled},
            {"groups", std::move(groups)},
            {"clients", count == clients.end() ? std::size_t{0} : count->second}};
}

json::object encode(const portal::Group& group, const portal::Directory& directory) {
    const auto actors =
        std::ranges::count_if(directory.memberships, [&](const auto& row) { return row.second.group == group.id; });
    return {{"id", group.id.to_string()}, {"name", group.name}, {"actors", actors}};
}

json::object encode(const portal::Resource& resource, const portal::Directory& directory) {
    json::array sites;
    for (const auto& site : resource.sites) {
        sites.emplace_back(named(directory.sites, site));
    }
    json::array groups;
    for (const auto& [id, policy] : directory.policies) {
        if (policy.resource == resource.id && !policy.is_disabled) {
            groups.emplace_back(named(directory.groups, policy.group));
        }
    }
    json::array members;
    for (const auto& member : resource.members) {
        members.emplace_back(json::object{{"actor_id", member.actor.to_string()}, {"external_id", member.external_id}});
    }
    const bool is_dns = resource.type == portal::ResourceType::kDns;
    return {
        {"id", resource.id.to_string()},
        {"type", text(portal::fields::to_string(resource.type))},
        {"name", resource.name},
        {"address", resource.address.empty() ? json::value(nullptr) : json::value(json::string{resource.address})},
        {"address_description", or_null(resource.address_description)},
        {"ip_stack", is_dns ? json::value(text(portal::fields::to_string(resource.ip_stack))) : json::value(nullptr)},
        {"filters", encode_filters(resource.filters)},
        {"sites", std::move(sites)},
        {"devices", std::move(members)},
        {"groups", std::move(groups)}};
}

json::object encode(const portal::Policy& policy, const portal::Directory& directory) {
    return {{"id", policy.id.to_string()},
            {"description", or_null(policy.description)},
            {"group", named(directory.groups, policy.group)},
            {"resource", named(directory.resources, policy.resource)},
            {"is_disabled", policy.is_disabled},
            {"flow_logs", policy.logs_flows},
            {"conditions", portal::to_json(policy.conditions)}};
}

json::object encode(const portal::KnownToken& token) {
    return {{"id", token.id.to_string()},
            {"name", or_null(token.name)},
            {"created_at", to_rfc3339(token.created_at)},
            {"expires_at", time_or_null(token.expires_at)},
            {"last_used_at", time_or_null(token.last_used_at)}};
}

json::object encode(const portal::KnownClient& client, Surroundings& surroundings) {
    json::object object{{"id", client.id.to_string()},
                        {"name", client.name},
                        {"external_id", client.external_id},
                        {"actor", named(surroundings.directory().actors, client.actor)},
                        {"ipv4", client.ipv4.to_string()},
                        {"ipv6", client.ipv6.to_string()},
                        {"is_online", surroundings.is_online(client.id)},
                        {"is_revoked", client.is_revoked},
                        {"verified_at", time_or_null(client.verified_at)}};
    add_last_seen(object, client.last_seen);
    return object;
}

json::object encode(const portal::KnownGateway& gateway, Surroundings& surroundings) {
    json::object object{{"id", gateway.id.to_string()},
                        {"name", gateway.name},
                        {"external_id", gateway.external_id},
                        {"site", named(surroundings.directory().sites, gateway.site)},
                        {"ipv4", gateway.ipv4.to_string()},
                        {"ipv6", gateway.ipv6.to_string()},
                        {"is_online", surroundings.is_online(gateway.id)},
                        {"is_revoked", gateway.is_revoked}};
    add_last_seen(object, gateway.last_seen);
    return object;
}

json::object encode(const portal::KnownRelay& relay, Surroundings& surroundings) {
    json::object object{{"id", relay.id.to_string()},
                        {"name", or_null(relay.name)},
                        {"ipv4", address_or_null(relay.ipv4)},
                        {"ipv6", address_or_null(relay.ipv6)},
                        {"port", relay.port},
                        {"is_online", surroundings.is_online(relay.id)},
                        {"is_revoked", relay.is_revoked}};
    add_last_seen(object, relay.last_seen);
    return object;
}

json::object encode(const portal::AuditEntry& entry) {
    json::value actor = nullptr;
    if (entry.actor) {
        actor = json::object{
            {"id", entry.actor->to_string()}, {"name", entry.actor_name}, {"email", or_null(entry.actor_email)}};
    }
    return {{"id", entry.number},
            {"at", to_rfc3339(entry.at)},
            {"actor", std::move(actor)},
            {"from", entry.remote_ip},
            {"action", entry.action},
            {"object", json::object{{"type", entry.object_type}, {"id", entry.object_id}, {"name", entry.object_name}}},
            {"before", parsed_or_null(entry.before)},
            {"after", parsed_or_null(entry.after)}};
}

}  // namespace culvert::admin
