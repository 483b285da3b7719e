#include <array>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "culvert/base/overloaded.h"
#include "culvert/portal_api/payload.h"
#include "culvert/portal_api/vocabulary.h"

namespace culvert::portal_api {
namespace {

using portal_api::to_json;

// --- Resources (5.6) ---

std::vector<Filter> read_filters(const ObjectReader& reader) {
    std::vector<Filter> filters;
    reader.each("filters", [&](const json::value& value, const Place& place) {
        if (const auto filter = read_filter(value, place, reader.problem())) {
            filters.push_back(*filter);
        }
    });
    return filters;
}

GatewayResource read_resource(const ObjectReader& reader) {
    const auto type = reader.string("type");
    const auto id = reader.id<ResourceId>("id");
    if (type == "dns") {
        return GatewayDnsResource{.id = id,
                                  .name = reader.string("name"),
                                  .address = reader.string("address"),
                                  .filters = read_filters(reader)};
    }
    if (type == "cidr") {
        return GatewayCidrResource{.id = id,
                                   .name = reader.string("name"),
                                   .address = reader.network("address"),
                                   .filters = read_filters(reader)};
    }
    if (type != "internet") {
        reader.problem().report({&reader.place(), "type"}, "unknown type of resource");
    }
    return GatewayInternetResource{id};
}

json::value to_json(const GatewayResource& resource) {
    return std::visit(overloaded{[](const GatewayDnsResource& r) -> json::value {
                                     return {{"id", r.id.to_string()},
                                             {"type", "dns"},
                                             {"name", r.name},
                                             {"address", r.address},
                                             {"filters", to_json(r.filters)}};
                                 },
                                 [](const GatewayCidrResource& r) -> json::value {
                                     return {{"id", r.id.to_string()},
                                             {"type", "cidr"},
                                             {"name", r.name},
                                             {"address", r.address.to_string()},
                                             {"filters", to_json(r.filters)}};
                                 },
                                 [](const GatewayInternetResource& r) -> json::value {
                                     return {{"id", r.id.to_string()}, {"type", "internet"}};
                                 }},
                      resource);
}

// --- Messages (7.1) ---

GatewayInit read_init(const ObjectReader& reader) {
    GatewayInit message{.interface = read_interface(reader.object("interface"))};
    const auto config = reader.object("config");
    message.ipv4_masquerade_enabled = config.boolean("ipv4_masquerade_enabled");
    message.ipv6_masquerade_enabled = config.boolean("ipv6_masquerade_enabled");
    message.flow_logs = read_flow_log_settings(reader);
    message.relays = read_relays(reader, "relays", true);
    message.account_slug = reader.optional_string("account_slug");
    message.authorizations = read_authorizations(reader);
    return message;
}

FlowClient read_flow_client(const ObjectReader& reader) {
    return {.id = reader.id<ClientId>("id"),
            .public_key = reader.public_key("public_key"),
            .preshared_key = reader.preshared_key("preshared_key"),
            .ipv4 = reader.address("ipv4", net::Family::kIpv4),
            .ipv6 = reader.address("ipv6", net::Family::kIpv6),
            .version = reader.optional_string("version"),
            .device_os_name = reader.optional_string("device_os_name"),
            .device_os_version = reader.optional_string("device_os_version"),
            .device_serial = reader.optional_string("device_serial"),
            .device_uuid = reader.optional_string("device_uuid"),
            .identifier_for_vendor = reader.optional_string("identifier_for_vendor"),
            .firebase_installation_id = reader.optional_string("firebase_installation_id")};
}

Subject read_subject(const ObjectReader& reader) {
    return {.identity_id = reader.optional_string("identity_id"),
            .identity_name = reader.optional_string("identity_name"),
            .actor_id = reader.optional_string("actor_id"),
            .actor_email = reader.optional_string("actor_email")};
}

AuthorizeFlow read_authorize_flow(const ObjectReader& reader) {
    AuthorizeFlow message{.ref = reader.string("ref"),
                          .resource = read_resource(reader.object("resource")),
                          .client = read_flow_client(reader.object("client")),
                          .client_ice_credentials = read_ice_credentials(reader.object("client_ice_credentials")),
                          .gateway_ice_credentials = read_ice_credentials(reader.object("gateway_ice_credentials")),
                          .subject = {},
                          .expires_at = reader.optional_timestamp("expires_at"),
                          .flow_logs_ingest_token = reader.optional_string("flow_logs_ingest_token")};
    if (reader.find("subject")) {
        message.subject = read_subject(reader.object("subject"));
    }
    return message;
}

template <typename Message>
Message read_candidates(const ObjectReader& reader) {
    return {.client_id = reader.id<ClientId>("client_id"), .candidates = reader.strings("candidates")};
}

json::value to_json(const GatewayInit& message) {
    json::object object{
        {"interface", {{"ipv4", message.interface.ipv4.to_string()}, {"ipv6", message.interface.ipv6.to_string()}}},
        {"config",
         {{"ipv4_masquerade_enabled", message.ipv4_masquerade_enabled},
          {"ipv6_masquerade_enabled", message.ipv6_masquerade_enabled}}},
        {"relays", to_json(message.relays)},
        {"authorizations", to_json(message.authorizations)}};
    if (message.account_slug) {
        object["account_slug"] = *message.account_slug;
    }
    add_flow_log_settings(object, message.flow_logs);
    return object;
}

json::value to_json(const FlowClient& client) {
    return {{"id", client.id.to_string()},
            {"public_key", client.public_key.to_string()},
            {"preshared_key", to_json(client.preshared_key)},
            {"ipv4", client.ipv4.to_string()},
            {"ipv6", client.ipv6.to_string()},
            {"version", to_json(client.version)},
            {"device_os_name", to_json(client.device_os_name)},
            {"device_os_version", to_json(client.device_os_version)},
            {"device_serial", to_json(client.device_serial)},
            {"device_uuid", to_json(client.device_uuid)},
            {"identifier_for_vendor", to_json(client.identifier_for_vendor)},
            {"firebase_installation_id", to_json(client.firebase_installation_id)}};
}

json::value to_json(const AuthorizeFlow& message) {
    json::object object{
        {"ref", message.ref},
        {"resource", to_json(message.resource)},
        {"client", to_json(message.client)},
        {"client_ice_credentials", to_json(message.client_ice_credentials)},
        {"gateway_ice_credentials", to_json(message.gateway_ice_credentials)},
        {"subject",
         {{"identity_id", to_json(message.subject.identity_id)},
          {"identity_name", to_json(message.subject.identity_name)},
          {"actor_id", to_json(message.subject.actor_id)},
          {"actor_email", to_json(message.subject.actor_email)}}},
        {"expires_at", message.expires_at ? json::value(to_json(*message.expires_at)) : json::value(nullptr)}};
    add_ingest_token(object, message.flow_logs_ingest_token);
    return object;
}

template <typename Message>
json::value candidates_to_json(const Message& message) {
    return {{"client_id", message.client_id.to_string()}, {"candidates", to_json(message.candidates)}};
}

}  // namespace

Decoded<ToGateway> decode_gateway_payload(Dialect dialect, std::string_view event, const json::value& payload,
                                          const Place& place, Problem& problem) {
    if (event == vocabulary(dialect).authorize_flow) {
        return read_authorize_flow(ObjectReader{payload, place, problem});
    }

    using Read = ToGateway (*)(const ObjectReader&);
    static constexpr std::array<std::pair<std::string_view, Read>, 7> kReaders{{
        {"init", [](const ObjectReader& r) -> ToGateway { return read_init(r); }},
        {"access_authorization_expiry_updated",
         [](const ObjectReader& r) -> ToGateway {
             return AccessAuthorizationExpiryUpdated{.client_id = r.id<ClientId>("client_id"),
                                                     .resource_id = r.id<ResourceId>("resource_id"),
                                                     .expires_at = r.timestamp("expires_at")};
         }},
        {"reject_access",
         [](const ObjectReader& r) -> ToGateway {
             return RejectAccess{.client_id = r.id<ClientId>("client_id"),
                                 .resource_id = r.id<ResourceId>("resource_id")};
         }},
        {"resource_updated", [](const ObjectReader& r) -> ToGateway { return ResourceUpdated{read_resource(r)}; }},
        {"relays_presence", [](const ObjectReader& r) -> ToGateway { return read_relays_presence(r); }},
        {"ice_candidates", [](const ObjectReader& r) -> ToGateway { return read_candidates<ClientIceCandidates>(r); }},
        {"invalidate_ice_candidates",
         [](const ObjectReader& r) -> ToGateway { return read_candidates<InvalidateClientIceCandidates>(r); }},
    }};
    for (const auto& [name, read] : kReaders) {
        if (event == name) {
            return read(ObjectReader{payload, place, problem});
        }
    }
    problem.report({.name = "event"}, "unknown");
    return std::nullopt;
}

EncodedMessage encode_payload(const ToGateway& message, Dialect dialect) {
    return std::visit(
        overloaded{
            [](const GatewayInit& m) -> EncodedMessage { return {"init", to_json(m)}; },
            [&](const AuthorizeFlow& m) -> EncodedMessage { return {vocabulary(dialect).authorize_flow, to_json(m)}; },
            [](const AccessAuthorizationExpiryUpdated& m) -> EncodedMessage {
                return {"access_authorization_expiry_updated",
                        {{"client_id", m.client_id.to_string()},
                         {"resource_id", m.resource_id.to_string()},
                         {"expires_at", to_json(m.expires_at)}}};
            },
            [](const RejectAccess& m) -> EncodedMessage {
                return {"reject_access",
                        {{"client_id", m.client_id.to_string()}, {"resource_id", m.resource_id.to_string()}}};
            },
            [](const ResourceUpdated& m) -> EncodedMessage { return {"resource_updated", to_json(m.resource)}; },
            [](const RelaysPresence& m) -> EncodedMessage { return {"relays_presence", to_json(m)}; },
            [](const ClientIceCandidates& m) -> EncodedMessage { return {"ice_candidates", candidates_to_json(m)}; },
            [](const InvalidateClientIceCandidates& m) -> EncodedMessage {
                return {"invalidate_ice_candidates", candidates_to_json(m)};
            }},
        message);
}

}  // namespace culvert::portal_api
