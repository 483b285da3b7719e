// Clients, gateways and relays, what they do, and what administrators did.

#include <algorithm>

#include "culvert/admin/encode.h"
#include "culvert/admin/handlers.h"
#include "culvert/admin/input.h"
#include "culvert/admin/names.h"
#include "culvert/base/rfc3339.h"
#include "culvert/portal/constants.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;

portal::KnownClient find_client(const Call& call) {
    const auto client = call.storage().find_known_client(call.id<ClientId>());
    if (!client) {
        throw not_found();
    }
    return *client;
}

/// The one with the id in the path.
template <typename Row>
Row find_device(const std::vector<Row>& rows, const Call& call) {
    const auto id = call.id<decltype(Row::id)>();
    const auto row = std::ranges::find(rows, id, &Row::id);
    if (row == rows.end()) {
        throw not_found();
    }
    return *row;
}

/// Does something with a client, of which `deed` is the name.
template <typename Work>
http::Response change_client(const Call& call, const std::string& deed, const Work& work) {
    const auto before = find_client(call);
    const auto old = encode(before, call.tools.surroundings);
    json::object shown = old;
    call.storage().in_transaction([&] {
        call.check_match(old);
        work(before.id);
        const auto after = call.storage().find_known_client(before.id);
        shown = after ? encode(*after, call.tools.surroundings) : json::object{};
        call.record({deed, "client", before.id.to_string(), before.name, old, shown});
    });
    call.tell("clients", before.id.to_string());
    return respond(200, shown.empty() ? old : shown);
}

template <typename Work>
http::Response change_gateway(const Call& call, const std::string& deed, const Work& work) {
    const auto before = find_device(call.storage().list_gateways(), call);
    json::object shown;
    call.storage().in_transaction([&] {
        work(before.id);
        shown = encode(find_device(call.storage().list_gateways(), call), call.tools.surroundings);
        call.record(
            {deed, "gateway", before.id.to_string(), before.name, encode(before, call.tools.surroundings), shown});
    });
    call.tell("gateways", before.id.to_string());
    return respond(200, shown);
}

http::Response list_gateways_of(const Call& call, const std::optional<SiteId>& site) {
    std::map<GatewayId, portal::KnownGateway> gateways;
    for (auto& gateway : call.storage().list_gateways()) {
        if (!site || gateway.site == *site) {
            gateways.emplace(gateway.id, std::move(gateway));
        }
    }
    return respond_list(call, gateways, by_name,
                        [&](const portal::KnownGateway& gateway) { return encode(gateway, call.tools.surroundings); });
}

}  // namespace

// --- Clients ---

Answer list_clients(Call& call) {
    const auto page = Page::of(call.request);
    const auto clients = call.storage().list_clients(call.filter<portal::ActorId>("actor_id"), page.range());
    json::array part;
    for (const auto& client : clients.rows) {
        part.emplace_back(encode(client, call.tools.surroundings));
    }
    return page.respond(std::move(part), clients.count);
}

Answer show_client(Call& call) {
    return respond(200, encode(find_client(call), call.tools.surroundings));
}

Answer update_client(Call& call) {
    auto name = find_client(call).name;
    Input input{call.body, "client"};
    input.read_or_require(false, "name", [&](const portal::ConfigurationValue& value) {
        name = value.text(1, portal::kMaxTextCharacters);
    });
    input.check();
    return change_client(call, "update", [&](const ClientId& id) { call.storage().rename(id, name); });
}

Answer delete_client(Call& call) {
    return change_client(call, "delete", [&](const ClientId& id) { call.storage().erase(id); });
}

Answer revoke_client(Call& call) {
    return change_client(call, "revoke", [&](const ClientId& id) { call.storage().revoke(id, call.wall_now); });
}

Answer restore_client(Call& call) {
    return change_client(call, "restore", [&](const ClientId& id) { call.storage().restore(id); });
}

/// An administrator has looked at the machine, as conditions of policies may demand.
Answer verify_client(Call& call) {
    return change_client(call, "verify", [&](const ClientId& id) { call.storage().set_verified(id, call.wall_now); });
}

Answer unverify_client(Call& call) {
    return change_client(call, "unverify", [&](const ClientId& id) { call.storage().set_verified(id, std::nullopt); });
}

// --- Gateways ---

Answer list_gateways(Call& call) {
    return list_gateways_of(call, call.filter<SiteId>("site_id"));
}

Answer list_site_gateways(Call& call) {
    return list_gateways_of(call, call.row(call.directory().sites).id);
}

Answer show_gateway(Call& call) {
    return respond(200, encode(find_device(call.storage().list_gateways(), call), call.tools.surroundings));
}

/// It would come back with its site's token if it were only deleted.
Answer revoke_gateway(Call& call) {
    return change_gateway(call, "revoke", [&](const GatewayId& id) { call.storage().revoke(id, call.wall_now); });
}

Answer restore_gateway(Call& call) {
    return change_gateway(call, "restore", [&](const GatewayId& id) { call.storage().restore(id); });
}

// --- Relays ---

Answer list_relays(Call& call) {
    const auto page = Page::of(call.request);
    const auto relays = call.storage().list_relays();
    json::array part;
    for (std::size_t i = page.skip; i < relays.size() && part.size() < page.limit; ++i) {
        part.emplace_back(encode(relays[i], call.tools.surroundings));
    }
    return page.respond(std::move(part), relays.size());
}

Answer delete_relay(Call& call) {
    const auto relay = find_device(call.storage().list_relays(), call);
    const auto shown = encode(relay, call.tools.surroundings);
    call.storage().in_transaction([&] {
        call.storage().erase(relay.id);
        call.record({"delete", "relay", relay.id.to_string(), relay.name.value_or(""), shown, {}});
    });
    call.tell("relays", relay.id.to_string());
    return respond(200, shown);
}

// --- What was done ---

Answer list_flows(Call& call) {
    const auto page = Page::of(call.request);
    const auto flows = call.storage().list_flows({.client = call.filter<ClientId>("client_id"),
                                                  .gateway = call.filter<GatewayId>("gateway_id"),
                                                  .resource = call.filter<ResourceId>("resource_id"),
                                                  .policy = call.filter<portal::PolicyId>("policy_id"),
                                                  .actor = call.filter<portal::ActorId>("actor_id")},
                                                 page.range());
    const auto& directory = call.directory();
    json::array part;
    for (const auto& flow : flows.rows) {
        part.emplace_back(
            json::object{{"id", flow.id.to_string()},
                         {"client", json::object{{"id", flow.client.to_string()}, {"name", flow.client_name}}},
                         {"actor", named(directory.actors, flow.actor)},
                         {"gateway", json::object{{"id", flow.gateway.to_string()}, {"name", flow.gateway_name}}},
                         {"resource", named(directory.resources, flow.resource)},
                         {"policy_id", flow.policy.to_string()},
                         {"client_remote_ip", flow.client_remote_ip.to_string()},
                         {"expires_at", to_rfc3339(flow.expires_at)}});
    }
    return page.respond(std::move(part), flows.count);
}

Answer list_audit(Call& call) {
    const auto page = Page::of(call.request);
    const auto entries = call.storage().list_audit(std::string{call.request.parameter("object_id")}, page.range());
    json::array part;
    for (const auto& entry : entries.rows) {
        part.emplace_back(encode(entry));
    }
    return page.respond(std::move(part), entries.count);
}

Answer open_events(Call&) {
    return EventStream{};
}

}  // namespace culvert::admin
