#include <array>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/portal_api/device_pool_payload.h"
#include "culvert/portal_api/payload.h"
#include "culvert/portal_api/vocabulary.h"

namespace culvert::portal_api {
namespace {

using portal_api::to_json;

constexpr log::Logger kLog{"portal_api"};

constexpr std::array kFlowFailures{std::pair{std::string_view{"not_found"}, FlowFailure::kNotFound},
                                   std::pair{std::string_view{"offline"}, FlowFailure::kOffline},
                                   std::pair{std::string_view{"forbidden"}, FlowFailure::kForbidden},
                                   std::pair{std::string_view{"version_mismatch"}, FlowFailure::kVersionMismatch}};

constexpr std::array kIpStacks{std::pair{std::string_view{"dual"}, IpStack::kDual},
                               std::pair{std::string_view{"ipv4_only"}, IpStack::kIpv4Only},
                               std::pair{std::string_view{"ipv6_only"}, IpStack::kIpv6Only}};

template <typename Table, typename Value>
std::string_view name_of(const Table& table, Value value, std::string_view otherwise) {
    for (const auto& [name, entry] : table) {
        if (entry == value) {
            return name;
        }
    }
    return otherwise;
}

// --- Resources (5.5) ---

std::vector<Site> read_sites(const ObjectReader& reader) {
    std::vector<Site> sites;
    const auto key = reader.find(kVocabularyV2.sites) ? kVocabularyV2.sites : kVocabularyV1.sites;
    reader.each(key, [&](const json::value& value, const Place& place) {
        const ObjectReader site{value, place, reader.problem()};
        sites.push_back({.id = site.id<SiteId>("id"), .name = site.string("name")});
    });
    return sites;
}

/// Clients do not enforce filters, so whatever they cannot read of them does no harm.
std::vector<Filter> read_client_filters(const ObjectReader& reader) {
    std::vector<Filter> filters;
    const auto* value = reader.find("filters");
    const auto* array = value ? value->if_array() : nullptr;
    if (array) {
        for (const auto& item : *array) {
            Problem ignored;
            const auto filter = read_filter(item, {}, ignored);
            if (filter && ignored.is_none()) {
                filters.push_back(*filter);
            }
        }
    }
    return filters;
}

IpStack read_ip_stack(const ObjectReader& reader) {
    const auto text = reader.optional_string("ip_stack");
    if (!text) {
        return IpStack::kDual;
    }
    for (const auto& [name, stack] : kIpStacks) {
        if (*text == name) {
            return stack;
        }
    }
    reader.problem().report({&reader.place(), "ip_stack"}, "unknown IP stack");
    return IpStack::kDual;
}

ClientDnsResource read_dns_resource(const ObjectReader& reader) {
    return {.id = reader.id<ResourceId>("id"),
            .name = reader.string("name"),
            .address = reader.string("address"),
            .address_description = reader.optional_string("address_description"),
            .sites = read_sites(reader),
            .ip_stack = read_ip_stack(reader),
            .filters = read_client_filters(reader)};
}

ClientCidrResource read_cidr_resource(const ObjectReader& reader) {
    return {.id = reader.id<ResourceId>("id"),
            .name = reader.string("name"),
            .address = reader.network("address"),
            .address_description = reader.optional_string("address_description"),
            .sites = read_sites(reader),
            .filters = read_client_filters(reader)};
}

ClientInternetResource read_internet_resource(const ObjectReader& reader) {
    ClientInternetResource resource{.id = reader.id<ResourceId>("id"), .sites = read_sites(reader)};
    if (reader.find("name")) {
        resource.name = reader.string("name");
    }
    return resource;
}

/// nullopt for a resource that is to be skipped. Only a missing `type` is a problem of the whole message.
std::optional<ClientResource> read_resource(const json::value& value, const Place& place, Problem& message_problem) {
    std::string type;
    {
        const ObjectReader reader{value, place, message_problem};
        type = reader.string("type");
    }
    if (!message_problem.is_none()) {
        return std::nullopt;
    }

    Problem problem;
    const ObjectReader reader{value, place, problem};
    std::optional<ClientResource> resource;
    if (type == "dns") {
        resource = read_dns_resource(reader);
    } else if (type == "cidr") {
        resource = read_cidr_resource(reader);
    } else if (type == "internet") {
        resource = read_internet_resource(reader);
    } else {
        kLog.debug("Skipped resource of unknown type", log::field("type", type));
        return std::nullopt;
    }
    if (!problem.is_none()) {
        kLog.warn("Skipped malformed resource", log::field("problem", problem.text()));
        return std::nullopt;
    }
    return resource;
}

json::array to_json(const std::vector<Site>& sites) {
    json::array array;
    for (const auto& site : sites) {
        array.push_back(json::object{{"id", site.id.to_string()}, {"name", site.name}});
    }
    return array;
}

json::value to_json(const ClientResource& resource, const Vocabulary& words) {
    return std::visit(overloaded{[&](const ClientDnsResource& r) -> json::value {
                                     return {{"id", r.id.to_string()},
                                             {"type", "dns"},
                                             {"name", r.name},
                                             {"address", r.address},
                                             {"address_description", to_json(r.address_description)},
                                             {"ip_stack", name_of(kIpStacks, r.ip_stack, "dual")},
                                             {words.sites, to_json(r.sites)},
                                             {"filters", to_json(r.filters)}};
                                 },
                                 [&](const ClientCidrResource& r) -> json::value {
                                     return {{"id", r.id.to_string()},
                                             {"type", "cidr"},
                                             {"name", r.name},
                                             {"address", r.address.to_string()},
                                             {"address_description", to_json(r.address_description)},
                                             {words.sites, to_json(r.sites)},
                                             {"filters", to_json(r.filters)}};
                                 },
                                 [&](const ClientInternetResource& r) -> json::value {
                                     return {{"id", r.id.to_string()},
                                             {"type", "internet"},
                                             {"can_be_disabled", true},
                                             {words.sites, to_json(r.sites)}};
                                 }},
                      resource);
}

// --- Messages (6.1) ---

ClientInit read_init(const ObjectReader& reader) {
    ClientInit message{.interface = read_interface(reader.object("interface"))};
    reader.each_if_present("resources", [&](const json::value& value, const Place& place) {
        if (is_device_pool(value)) {
            if (auto pool = read_device_pool(value, place)) {
                message.device_pools.push_back(*std::move(pool));
            }
        } else if (auto resource = read_resource(value, place, reader.problem())) {
            message.resources.push_back(*std::move(resource));
        }
    });
    message.relays = read_relays(reader, "relays", true);
    message.flow_logs = read_flow_log_settings(reader);
    message.authorizations = read_authorizations(reader);
    return message;
}

FlowCreated read_flow_created(const ObjectReader& reader) {
    const auto site = reader.find(kVocabularyV2.site_id) ? kVocabularyV2.site_id : kVocabularyV1.site_id;
    return {.resource_id = reader.id<ResourceId>("resource_id"),
            .gateway_id = reader.id<GatewayId>("gateway_id"),
            .gateway_public_key = reader.public_key("gateway_public_key"),
            .gateway_ipv4 = reader.address("gateway_ipv4", net::Family::kIpv4),
            .gateway_ipv6 = reader.address("gateway_ipv6", net::Family::kIpv6),
            .site_id = reader.id<SiteId>(site),
            .preshared_key = reader.preshared_key("preshared_key"),
            .client_ice_credentials = read_ice_credentials(reader.object("client_ice_credentials")),
            .gateway_ice_credentials = read_ice_credentials(reader.object("gateway_ice_credentials")),
            .flow_logs_ingest_token = reader.optional_string("flow_logs_ingest_token")};
}

FlowCreationFailed read_flow_creation_failed(const ObjectReader& reader) {
    FlowCreationFailed message{.resource_id = reader.id<ResourceId>("resource_id")};
    const auto reason = reader.string("reason");
    for (const auto& [name, failure] : kFlowFailures) {
        if (reason == name) {
            message.reason = failure;
        }
    }
    if (reader.find("violated_properties")) {
        message.violated_properties = reader.strings("violated_properties");
    }
    return message;
}

template <typename Message>
Message read_candidates(const ObjectReader& reader) {
    return {.gateway_id = reader.id<GatewayId>("gateway_id"), .candidates = reader.strings("candidates")};
}

json::value to_json(const Interface& interface) {
    json::array servers;
    for (const auto& server : interface.upstream_dns) {
        servers.push_back(json::object{{"protocol", "ip_port"}, {"address", server.address.to_string()}});
    }
    json::object object{{"ipv4", interface.ipv4.to_string()},
                        {"ipv6", interface.ipv6.to_string()},
                        {"upstream_dns", std::move(servers)},
                        {"search_domain", to_json(interface.search_domain)}};
    if (!interface.upstream_do53.empty()) {
        auto& list = object["upstream_do53"].emplace_array();
        for (const auto& server : interface.upstream_do53) {
            list.push_back(json::object{{"ip", server.to_string()}});
        }
    }
    if (!interface.upstream_doh.empty()) {
        auto& list = object["upstream_doh"].emplace_array();
        for (const auto& url : interface.upstream_doh) {
            list.push_back(json::object{{"url", url}});
        }
    }
    return object;
}

json::value to_json(const ClientInit& message, const Vocabulary& words) {
    json::array resources;
    for (const auto& resource : message.resources) {
        resources.push_back(to_json(resource, words));
    }
    for (const auto& pool : message.device_pools) {
        resources.push_back(to_json(pool));
    }
    json::object object{{"interface", to_json(message.interface)},
                        {"resources", std::move(resources)},
                        {"relays", to_json(message.relays)}};
    if (!message.authorizations.empty()) {
        object["authorizations"] = to_json(message.authorizations);
    }
    add_flow_log_settings(object, message.flow_logs);
    return object;
}

json::value to_json(const FlowCreated& message, const Vocabulary& words) {
    json::object object{{"resource_id", message.resource_id.to_string()},
                        {"gateway_id", message.gateway_id.to_string()},
                        {words.site_id, message.site_id.to_string()},
                        {"gateway_public_key", message.gateway_public_key.to_string()},
                        {"gateway_ipv4", message.gateway_ipv4.to_string()},
                        {"gateway_ipv6", message.gateway_ipv6.to_string()},
                        {"preshared_key", to_json(message.preshared_key)},
                        {"client_ice_credentials", to_json(message.client_ice_credentials)},
                        {"gateway_ice_credentials", to_json(message.gateway_ice_credentials)}};
    add_ingest_token(object, message.flow_logs_ingest_token);
    return object;
}

json::value to_json(const FlowCreationFailed& message, const Vocabulary& words) {
    json::object object{{"resource_id", message.resource_id.to_string()}, {"reason", to_string(message.reason)}};
    if (!message.violated_properties.empty()) {
        auto properties = message.violated_properties;
        std::ranges::replace(properties, kVocabularyV2.auth_provider_id, words.auth_provider_id);
        object["violated_properties"] = to_json(properties);
    }
    return object;
}

template <typename Message>
json::value candidates_to_json(const Message& message) {
    return {{"gateway_id", message.gateway_id.to_string()}, {"candidates", to_json(message.candidates)}};
}

}  // namespace

std::string_view to_string(FlowFailure reason) {
    return name_of(kFlowFailures, reason, "unknown");
}

Decoded<ToClient> decode_client_payload(Dialect dialect, std::string_view event, const json::value& payload,
                                        const Place& place, Problem& problem) {
    if (event == "resource_deleted") {
        return ResourceDeleted{ObjectReader::to_id<ResourceId>(payload, place, problem)};
    }
    if (event == "resource_created_or_updated" && is_device_pool(payload)) {
        auto pool = read_device_pool(payload, place);
        return pool ? Decoded<ToClient>{DevicePoolCreatedOrUpdated{*std::move(pool)}} : std::nullopt;
    }
    if (event == "resource_created_or_updated") {
        auto resource = read_resource(payload, place, problem);
        return resource ? Decoded<ToClient>{ResourceCreatedOrUpdated{*std::move(resource)}} : std::nullopt;
    }

    const auto& words = vocabulary(dialect);
    if (event == words.flow_created) {
        return read_flow_created(ObjectReader{payload, place, problem});
    }
    if (event == words.flow_creation_failed) {
        return read_flow_creation_failed(ObjectReader{payload, place, problem});
    }

    using Read = ToClient (*)(const ObjectReader&);
    static constexpr std::array<std::pair<std::string_view, Read>, 7> kReaders{{
        {"init", [](const ObjectReader& r) -> ToClient { return read_init(r); }},
        {"config_changed",
         [](const ObjectReader& r) -> ToClient { return ConfigChanged{read_interface(r.object("interface"))}; }},
        {"relays_presence", [](const ObjectReader& r) -> ToClient { return read_relays_presence(r); }},
        {"ice_candidates", [](const ObjectReader& r) -> ToClient { return read_candidates<GatewayIceCandidates>(r); }},
        {"invalidate_ice_candidates",
         [](const ObjectReader& r) -> ToClient { return read_candidates<InvalidateGatewayIceCandidates>(r); }},
        {"gateway_ice_candidates",
         [](const ObjectReader& r) -> ToClient { return read_candidates<GatewayIceCandidates>(r); }},
        {"invalidate_gateway_ice_candidates",
         [](const ObjectReader& r) -> ToClient { return read_candidates<InvalidateGatewayIceCandidates>(r); }},
    }};
    for (const auto& [name, read] : kReaders) {
        if (event == name) {
            return read(ObjectReader{payload, place, problem});
        }
    }
    {
        Problem device_problem;
        if (auto message = read_device_message(event, ObjectReader{payload, place, device_problem})) {
            if (!device_problem.is_none()) {
                problem = std::move(device_problem);
            }
            return message;
        }
    }
    problem.report({.name = "event"}, "unknown");
    return std::nullopt;
}

EncodedMessage encode_payload(const ToClient& message, Dialect dialect) {
    const auto& words = vocabulary(dialect);
    return std::visit(
        overloaded{
            [&](const ClientInit& m) -> EncodedMessage { return {"init", to_json(m, words)}; },
            [](const ConfigChanged& m) -> EncodedMessage {
                return {"config_changed", {{"interface", to_json(m.interface)}}};
            },
            [&](const ResourceCreatedOrUpdated& m) -> EncodedMessage {
                return {"resource_created_or_updated", to_json(m.resource, words)};
            },
            [](const DevicePoolCreatedOrUpdated& m) -> EncodedMessage {
                return {"resource_created_or_updated", to_json(m.pool)};
            },
            [](const ResourceDeleted& m) -> EncodedMessage {
                return {"resource_deleted", json::value(m.resource_id.to_string())};
            },
            [](const RelaysPresence& m) -> EncodedMessage { return {"relays_presence", to_json(m)}; },
            [&](const FlowCreated& m) -> EncodedMessage { return {words.flow_created, to_json(m, words)}; },
            [&](const FlowCreationFailed& m) -> EncodedMessage {
                return {words.flow_creation_failed, to_json(m, words)};
            },
            [](const GatewayIceCandidates& m) -> EncodedMessage { return {"ice_candidates", candidates_to_json(m)}; },
            [](const InvalidateGatewayIceCandidates& m) -> EncodedMessage {
                return {"invalidate_ice_candidates", candidates_to_json(m)};
            },
            [](const auto& about_device) { return encode_device_message(about_device); }},
        message);
}

}  // namespace culvert::portal_api
