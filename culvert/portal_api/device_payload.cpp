#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "culvert/base/overloaded.h"
#include "culvert/portal_api/payload.h"
#include "culvert/portal_api/vocabulary.h"

/// Messages from clients and gateways (6.2, 7.2), and those to relays (8).
namespace culvert::portal_api {
namespace {

/// What both kinds of device may say.
template <typename From>
Decoded<From> decode_from_either(std::string_view event, const ObjectReader& reader) {
    if (event == "no_relays") {
        return NoRelays{};
    }
    if (event == "set_snownet_capabilities") {
        const auto* iceless = reader.find("iceless");
        return SnownetCapabilities{.iceless = iceless != nullptr && iceless->is_bool() && iceless->get_bool()};
    }
    reader.problem().report({.name = "event"}, "unknown");
    return std::nullopt;
}

EncodedMessage encode_from_either(const NoRelays&) {
    return {"no_relays", json::object{}};
}

EncodedMessage encode_from_either(const SnownetCapabilities& message) {
    return {"set_snownet_capabilities", {{"iceless", message.iceless}}};
}

json::value flow_request_to_json(const CreateFlow& message) {
    json::object object{{"resource_id", message.resource_id.to_string()},
                        {"connected_gateway_ids", to_json(message.connected_gateway_ids)}};
    if (message.ipv4) {
        object["ipv4"] = *message.ipv4;
    }
    if (message.ipv6) {
        object["ipv6"] = *message.ipv6;
    }
    return object;
}

/// Candidates for one gateway are for a list of one.
template <typename Message>
Message read_for_gateway(const ObjectReader& reader) {
    return {.gateway_ids = {reader.id<GatewayId>("gateway_id")}, .candidates = reader.strings("candidates")};
}

template <typename Message>
Message read_for_client(const ObjectReader& reader) {
    return {.client_ids = {reader.id<ClientId>("client_id")}, .candidates = reader.strings("candidates")};
}

/// There is no message from one client to several.
template <typename Message>
EncodedMessage encode_for_client(const Message& message, std::string_view event) {
    const auto client = message.client_ids.empty() ? ClientId{} : message.client_ids.front();
    return {event, {{"client_id", client.to_string()}, {"candidates", to_json(message.candidates)}}};
}

/// Clients of the later dialect name one gateway at a time.
template <typename Message>
EncodedMessage encode_for_gateways(const Message& message, Dialect dialect, std::string_view to_one,
                                   std::string_view to_many) {
    if (dialect == Dialect::kV2 && message.gateway_ids.size() == 1) {
        return {to_one,
                {{"gateway_id", message.gateway_ids.front().to_string()}, {"candidates", to_json(message.candidates)}}};
    }
    return {to_many, {{"gateway_ids", to_json(message.gateway_ids)}, {"candidates", to_json(message.candidates)}}};
}

}  // namespace

Decoded<FromClient> decode_from_client_payload(Dialect dialect, std::string_view event, const json::value& payload,
                                               const Place& place, Problem& problem) {
    const ObjectReader reader{payload, place, problem};
    if (event == vocabulary(dialect).create_flow) {
        return CreateFlow{.resource_id = reader.id<ResourceId>("resource_id"),
                          .connected_gateway_ids = reader.ids<GatewayId>("connected_gateway_ids"),
                          .ipv4 = reader.optional_string("ipv4"),
                          .ipv6 = reader.optional_string("ipv6")};
    }
    if (event == "broadcast_ice_candidates") {
        return BroadcastGatewayIceCandidates{.gateway_ids = reader.ids<GatewayId>("gateway_ids"),
                                             .candidates = reader.strings("candidates")};
    }
    if (event == "broadcast_invalidated_ice_candidates") {
        return BroadcastInvalidatedGatewayIceCandidates{.gateway_ids = reader.ids<GatewayId>("gateway_ids"),
                                                        .candidates = reader.strings("candidates")};
    }
    if (event == "new_gateway_ice_candidates") {
        return read_for_gateway<BroadcastGatewayIceCandidates>(reader);
    }
    if (event == "invalidate_gateway_ice_candidates") {
        return read_for_gateway<BroadcastInvalidatedGatewayIceCandidates>(reader);
    }
    if (event == "new_client_ice_candidates") {
        return read_for_client<BroadcastClientIceCandidates>(reader);
    }
    if (event == "invalidate_client_ice_candidates") {
        return read_for_client<BroadcastInvalidatedClientIceCandidates>(reader);
    }
    return decode_from_either<FromClient>(event, reader);
}

Decoded<FromGateway> decode_from_gateway_payload(Dialect dialect, std::string_view event, const json::value& payload,
                                                 const Place& place, Problem& problem) {
    const ObjectReader reader{payload, place, problem};
    if (event == vocabulary(dialect).flow_authorized) {
        return FlowAuthorized{reader.string("ref")};
    }
    if (event == "broadcast_ice_candidates") {
        return BroadcastClientIceCandidates{.client_ids = reader.ids<ClientId>("client_ids"),
                                            .candidates = reader.strings("candidates")};
    }
    if (event == "broadcast_invalidated_ice_candidates") {
        return BroadcastInvalidatedClientIceCandidates{.client_ids = reader.ids<ClientId>("client_ids"),
                                                       .candidates = reader.strings("candidates")};
    }
    return decode_from_either<FromGateway>(event, reader);
}

namespace {

std::vector<TurnUserRule> read_rules(const ObjectReader& reader, std::string_view key) {
    std::vector<TurnUserRule> rules;
    reader.each_if_present(key, [&](const json::value& value, const Place& place) {
        const ObjectReader rule{value, place, reader.problem()};
        rules.push_back({.salt = rule.string("salt"), .until = rule.timestamp("until")});
    });
    return rules;
}

json::array to_json(const std::vector<TurnUserRule>& rules) {
    json::array array;
    for (const auto& rule : rules) {
        array.push_back(json::object{{"salt", rule.salt}, {"until", rule.until.time_since_epoch().count()}});
    }
    return array;
}

}  // namespace

Decoded<ToRelay> decode_relay_payload(std::string_view event, const json::value& payload, const Place& place,
                                      Problem& problem) {
    const ObjectReader reader{payload, place, problem};
    if (event == "init") {
        return RelayInit{};
    }
    if (event == kTurnUsersFeature) {
        return TurnUsers{.revoked = read_rules(reader, "revoked"), .extended = read_rules(reader, "extended")};
    }
    problem.report({.name = "event"}, "unknown");
    return std::nullopt;
}

EncodedMessage encode_payload(const FromClient& message, Dialect dialect) {
    return std::visit(
        overloaded{
            [&](const CreateFlow& m) -> EncodedMessage {
                return {vocabulary(dialect).create_flow, flow_request_to_json(m)};
            },
            [&](const BroadcastGatewayIceCandidates& m) {
                return encode_for_gateways(m, dialect, "new_gateway_ice_candidates", "broadcast_ice_candidates");
            },
            [&](const BroadcastInvalidatedGatewayIceCandidates& m) {
                return encode_for_gateways(m, dialect, "invalidate_gateway_ice_candidates",
                                           "broadcast_invalidated_ice_candidates");
            },
            [](const BroadcastClientIceCandidates& m) { return encode_for_client(m, "new_client_ice_candidates"); },
            [](const BroadcastInvalidatedClientIceCandidates& m) {
                return encode_for_client(m, "invalidate_client_ice_candidates");
            },
            [](const auto& m) { return encode_from_either(m); }},
        message);
}

EncodedMessage encode_payload(const FromGateway& message, Dialect dialect) {
    return std::visit(
        overloaded{[&](const FlowAuthorized& m) -> EncodedMessage {
                       return {vocabulary(dialect).flow_authorized, {{"ref", m.ref}}};
                   },
                   [](const BroadcastClientIceCandidates& m) -> EncodedMessage {
                       return {"broadcast_ice_candidates",
                               {{"client_ids", to_json(m.client_ids)}, {"candidates", to_json(m.candidates)}}};
                   },
                   [](const BroadcastInvalidatedClientIceCandidates& m) -> EncodedMessage {
                       return {"broadcast_invalidated_ice_candidates",
                               {{"client_ids", to_json(m.client_ids)}, {"candidates", to_json(m.candidates)}}};
                   },
                   [](const auto& m) { return encode_from_either(m); }},
        message);
}

EncodedMessage encode_payload(const ToRelay& message, Dialect) {
    return std::visit(overloaded{[](const RelayInit&) -> EncodedMessage { return {"init", json::object{}}; },
                                 [](const TurnUsers& m) -> EncodedMessage {
                                     return {kTurnUsersFeature, json::object{{"revoked", to_json(m.revoked)},
                                                                             {"extended", to_json(m.extended)}}};
                                 }},
                      message);
}

}  // namespace culvert::portal_api
