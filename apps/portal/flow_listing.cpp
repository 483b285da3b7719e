// Lists of flows.

#include <boost/json.hpp>

#include "apps/portal/listing.h"
#include "apps/portal/table.h"
#include "culvert/base/printable.h"
#include "culvert/base/rfc3339.h"

namespace culvert::portal_server {
namespace {

namespace json = boost::json;
using portal::FlowLogEntry;
using portal_api::FlowOuter;

// Parentheses, because in braces boost::json::value takes anything for a list.
json::value json_text(std::string_view text) {
    return json::value(json::string_view{text.data(), text.size()});
}
json::value json_text_or_null(const std::optional<std::string>& text) {
    return text ? json_text(*text) : json::value(nullptr);
}

json::object to_object(const FlowOuter& outer) {
    return {{"source", json_text_or_null(outer.source ? std::optional{outer.source->to_string()} : std::nullopt)},
            {"destination", json_text(outer.destination.to_string())},
            {"activated_at", json_text(to_rfc3339(outer.activated_at))}};
}

json::object to_object(const FlowListing& flow) {
    const auto& entry = flow.entry;
    const auto& record = entry.record;
    json::array outers;
    for (const auto& outer : record.outers) {
        outers.emplace_back(to_object(outer));
    }
    json::object object{{"start", json_text(to_rfc3339(record.started_at))},
                        {"end", nullptr},
                        {"role", json_text(to_string(entry.role))},
                        {"protocol", json_text(to_string(record.protocol))},
                        {"source", json_text(record.inner_source.to_string())},
                        {"destination", json_text(record.inner_destination.to_string())},
                        {"domain", json_text_or_null(record.domain)},
                        {"client_id", json_text(entry.initiator.to_string())},
                        {"client", json_text_or_null(flow.client)},
                        {"gateway_id", json_text(entry.responder.to_string())},
                        {"gateway", json_text_or_null(flow.gateway)},
                        {"actor_id", json_text(entry.actor.to_string())},
                        {"actor", json_text(entry.actor_name)},
                        {"actor_email", json_text_or_null(entry.actor_email)},
                        {"resource_id", json_text(entry.resource.to_string())},
                        {"resource", json_text(entry.resource_name)},
                        {"policy_id", json_text(entry.policy.to_string())},
                        {"authorization_id", json_text(entry.authorization.to_string())},
                        {"outers", std::move(outers)}};
    if (const auto& end = record.end) {
        object["end"] = json_text(to_rfc3339(end->ended_at));
        object["last_packet"] = json_text(to_rfc3339(end->last_packet));
        object["tx_packets"] = end->tx_packets;
        object["rx_packets"] = end->rx_packets;
        object["tx_bytes"] = end->tx_bytes;
        object["rx_bytes"] = end->rx_bytes;
    }
    return object;
}

std::string destination_of(const FlowLogEntry& entry) {
    const auto& record = entry.record;
    return record.domain ? *record.domain + ":" + std::to_string(record.inner_destination.port)
                         : record.inner_destination.to_string();
}

std::string responder_of(const FlowListing& flow) {
    return flow.is_to_client ? "device" : "gateway";
}

/// "12.3 s".
std::string duration_of(const FlowLogEntry& entry) {
    if (!entry.record.end) {
        return "open";
    }
    const auto tenths = (entry.record.end->ended_at - entry.record.started_at) / std::chrono::milliseconds{100};
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace

std::string to_table(const std::vector<FlowListing>& flows) {
    std::vector<TableRow> rows{{"START (UTC)", "LASTED", "SEEN BY", "ACTOR", "CLIENT", "GATEWAY", "RESOURCE",
                                "PROTOCOL", "FROM", "TO", "SENT", "RECEIVED"}};
    for (const auto& flow : flows) {
        const auto& entry = flow.entry;
        const auto& record = entry.record;
        auto start = to_rfc3339(std::chrono::floor<std::chrono::seconds>(record.started_at)).substr(0, 19);
        start[10] = ' ';
        rows.push_back({start, duration_of(entry),
                        entry.role == portal_api::FlowRole::kInitiator ? "client" : responder_of(flow),
                        entry.actor_name, flow.client.value_or(entry.initiator.to_string()),
                        flow.gateway.value_or(entry.responder.to_string()), entry.resource_name,
                        std::string{to_string(record.protocol)}, record.inner_source.to_string(), destination_of(entry),
                        record.end ? std::to_string(record.end->tx_bytes) : "",
                        record.end ? std::to_string(record.end->rx_bytes) : ""});
    }
    return align(std::move(rows));
}

std::string to_json_lines(const std::vector<FlowListing>& flows) {
    std::string out;
    for (const auto& flow : flows) {
        // JSON needs no escape for some characters that a terminal acts on. They can only stand inside strings.
        out += escape_unprintable(json::serialize(to_object(flow))) + '\n';
    }
    return out;
}

}  // namespace culvert::portal_server
