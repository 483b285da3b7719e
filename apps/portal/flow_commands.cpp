// "culvert-portal flows".

#include <algorithm>
#include <expected>
#include <iostream>
#include <map>

#include "apps/portal/commands.h"
#include "apps/portal/error_output.h"
#include "apps/portal/listing.h"
#include "culvert/io/clock.h"

namespace culvert::portal_server {
namespace {

using Names = std::map<Uuid, std::string>;

/// The id that somebody means who gives an id or a name. What is gone can still be meant, by its id.
std::expected<std::optional<Uuid>, std::string> find_named(const std::string& text, const Names& names,
                                                           const std::string& kind) {
    if (text.empty()) {
        return std::nullopt;
    }
    if (const auto id = Uuid::parse(text)) {
        return *id;
    }
    std::optional<Uuid> found;
    for (const auto& [id, name] : names) {
        if (name != text) {
            continue;
        }
        if (found) {
            return std::unexpected{"there are several " + kind + "s \"" + text + "\"; give the id of one of them."};
        }
        found = id;
    }
    return found ? std::expected<std::optional<Uuid>, std::string>{found}
                 : std::unexpected{"there is no " + kind + " \"" + text + "\"; one that is gone is found by its id."};
}

std::optional<std::string> name_of(const Uuid& id, const Names& names) {
    const auto name = names.find(id);
    return name == names.end() ? std::nullopt : std::optional{name->second};
}

}  // namespace

int run(const FlowsCommand& command, SqliteStorage& storage) {
    Names clients;
    Names gateways;
    Names resources;
    for (const auto& device : storage.list_devices()) {
        if (device.kind != DeviceKind::kRelay) {
            (device.kind == DeviceKind::kClient ? clients : gateways).emplace(device.id, device.name);
        }
    }
    for (const auto& [id, resource] : storage.load_directory().resources) {
        resources.emplace(id.uuid(), resource.name);
    }
    const auto client = find_named(command.client, clients, "client");
    const auto gateway = find_named(command.gateway, gateways, "gateway");
    const auto resource = find_named(command.resource, resources, "resource");
    for (const auto* found : {&client, &gateway, &resource}) {
        if (!*found) {
            return fail(found->error());
        }
    }
    portal::FlowLogQuery query{.since = {}, .initiator = *client, .responder = *gateway, .limit = command.limit};
    if (*resource) {
        query.resource = ResourceId{**resource};
    }
    if (command.since) {
        query.since = WallMicroseconds{io::wall_now() - *command.since};
    }
    std::vector<FlowListing> flows;
    for (auto& entry : storage.find_flow_logs(query)) {
        auto client_name = name_of(entry.initiator, clients);
        const bool is_to_client = clients.contains(entry.responder);
        auto responder_name = name_of(entry.responder, is_to_client ? clients : gateways);
        flows.push_back({std::move(entry), std::move(client_name), std::move(responder_name), is_to_client});
    }
    std::cout << (command.is_json ? to_json_lines(flows) : to_table(flows));
    return finish_output();
}

}  // namespace culvert::portal_server
