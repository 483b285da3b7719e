#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "culvert/base/overloaded.h"
#include "culvert/portal_api/payload.h"

/// Messages from clients and gateways (6.2, 7.2), and those to relays (8).
namespace culvert::portal_api {

Decoded<FromClient> decode_from_client_payload(std::string_view event, const json::value& payload, const Place& place,
                                               Problem& problem) {
    const ObjectReader reader{payload, place, problem};
    if (event == "create_flow") {
        return CreateFlow{.resource_id = reader.id<ResourceId>("resource_id"),
                          .connected_gateway_ids = reader.ids<GatewayId>("connected_gateway_ids")};
    }
    if (event == "broadcast_ice_candidates") {
        return BroadcastGatewayIceCandidates{.gateway_ids = reader.ids<GatewayId>("gateway_ids"),
                                             .candidates = reader.strings("candidates")};
    }
    if (event == "broadcast_invalidated_ice_candidates") {
        return BroadcastInvalidatedGatewayIceCandidates{.gateway_ids = reader.ids<GatewayId>("gateway_ids"),
                                                        .candidates = reader.strings("candidates")};
    }
    problem.report({.name = "event"}, "unknown");
    return std::nullopt;
}

Decoded<FromGateway> decode_from_gateway_payload(std::string_view event, const json::value& payload, const Place& place,
                                                 Problem& problem) {
    const ObjectReader reader{payload, place, problem};
    if (event == "flow_authorized") {
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
    problem.report({.name = "event"}, "unknown");
    return std::nullopt;
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

EncodedMessage encode_payload(const FromClient& message) {
    return std::visit(
        overloaded{[](const CreateFlow& m) -> EncodedMessage {
                       return {"create_flow",
                               {{"resource_id", m.resource_id.to_string()},
                                {"connected_gateway_ids", to_json(m.connected_gateway_ids)}}};
                   },
                   [](const BroadcastGatewayIceCandidates& m) -> EncodedMessage {
                       return {"broadcast_ice_candidates",
                               {{"gateway_ids", to_json(m.gateway_ids)}, {"candidates", to_json(m.candidates)}}};
                   },
                   [](const BroadcastInvalidatedGatewayIceCandidates& m) -> EncodedMessage {
                       return {"broadcast_invalidated_ice_candidates",
                               {{"gateway_ids", to_json(m.gateway_ids)}, {"candidates", to_json(m.candidates)}}};
                   }},
        message);
}

EncodedMessage encode_payload(const FromGateway& message) {
    return std::visit(
        overloaded{[](const FlowAuthorized& m) -> EncodedMessage { return {"flow_authorized", {{"ref", m.ref}}}; },
                   [](const BroadcastClientIceCandidates& m) -> EncodedMessage {
                       return {"broadcast_ice_candidates",
                               {{"client_ids", to_json(m.client_ids)}, {"candidates", to_json(m.candidates)}}};
                   },
                   [](const BroadcastInvalidatedClientIceCandidates& m) -> EncodedMessage {
                       return {"broadcast_invalidated_ice_candidates",
                               {{"client_ids", to_json(m.client_ids)}, {"candidates", to_json(m.candidates)}}};
                   }},
        message);
}

EncodedMessage encode_payload(const ToRelay& message) {
    return std::visit(overloaded{[](const RelayInit&) -> EncodedMessage { return {"init", json::object{}}; },
                                 [](const TurnUsers& m) -> EncodedMessage {
                                     return {kTurnUsersFeature, json::object{{"revoked", to_json(m.revoked)},
                                                                             {"extended", to_json(m.extended)}}};
                                 }},
                      message);
}

}  // namespace culvert::portal_api
