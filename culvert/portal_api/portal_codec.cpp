#include <algorithm>
#include <string_view>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/json_document.h"
#include "culvert/portal_api/payload.h"

/// Frames at the portal's end (3.1, 3.2).
namespace culvert::portal_api {
namespace {

// Devices are trusted less than portals, and their messages are flat.
constexpr std::size_t kMaxDepth = 32;

constexpr Place kPayload{.name = "payload"};

Ref read_ref(const ObjectReader& frame) {
    const auto* value = frame.find("ref");
    if (!value) {
        frame.problem().report({.name = "ref"}, "missing");
        return {};
    }
    if (!value->is_null() && !value->is_int64() && !value->is_uint64() && !value->is_string()) {
        frame.problem().report({.name = "ref"}, "expected a number");
        return {};
    }
    auto text = json::serialize(*value);
    if (text.size() > kMaxRepeatedSize) {
        frame.problem().report({.name = "ref"}, "too long");
        return {};
    }
    return {std::move(text)};
}

JoinFrame read_join(const ObjectReader& frame, std::string topic, Ref ref) {
    JoinFrame join{.topic = std::move(topic), .ref = std::move(ref)};
    const auto* payload = frame.find("payload");
    if (payload && payload->is_object()) {
        Problem ignored;  // a relay without its secret is refused by whoever handles the join
        join.stamp_secret = ObjectReader{*payload, kPayload, ignored}.optional_string("stamp_secret");
        if (!ignored.is_none()) {
            join.stamp_secret.reset();
        }
        if (const auto* features = payload->get_object().if_contains("features"); features && features->is_array()) {
            join.takes_turn_users = std::ranges::any_of(features->get_array(), [](const json::value& feature) {
                const auto* text = feature.if_string();
                return text && std::string_view{text->data(), text->size()} == kTurnUsersFeature;
            });
        }
    }
    return join;
}

template <typename Message>
FromDeviceFrame to_frame(Decoded<Message> message, const Problem& problem, std::string topic, std::string event,
                         Ref ref) {
    if (message && problem.is_none()) {
        return DeviceMessageFrame{.topic = std::move(topic), .ref = std::move(ref), .message = *std::move(message)};
    }
    return UnknownFrame{
        .topic = std::move(topic), .ref = std::move(ref), .event = std::move(event), .why = problem.text()};
}

FromDeviceFrame decode_message(Role role, Dialect dialect, const json::value& payload, std::string topic,
                               std::string event, Ref ref) {
    Problem problem;
    switch (role) {
        case Role::kClient: {
            auto message = decode_from_client_payload(dialect, event, payload, kPayload, problem);
            return to_frame(std::move(message), problem, std::move(topic), std::move(event), std::move(ref));
        }
        case Role::kGateway: {
            auto message = decode_from_gateway_payload(dialect, event, payload, kPayload, problem);
            return to_frame(std::move(message), problem, std::move(topic), std::move(event), std::move(ref));
        }
        case Role::kRelay:
            break;
    }
    problem.report({.name = "event"}, "unknown");
    return to_frame(Decoded<FromDevice>{}, problem, std::move(topic), std::move(event), std::move(ref));
}

/// `ref` is JSON text already.
std::string encode_frame(std::string_view topic, std::string_view event, const json::value& payload,
                         std::string_view ref) {
    std::string text = R"({"topic":)";
    text += json::serialize(json::string_view{topic.data(), topic.size()});
    text += R"(,"event":)";
    text += json::serialize(json::string_view{event.data(), event.size()});
    text += R"(,"payload":)";
    text += json::serialize(payload);
    text += R"(,"ref":)";
    text += ref;
    text += '}';
    return text;
}

std::string_view topic_of(const ToDevice& message) {
    if (std::holds_alternative<ToClient>(message)) {
        return to_topic(Role::kClient);
    }
    return to_topic(std::holds_alternative<ToGateway>(message) ? Role::kGateway : Role::kRelay);
}

}  // namespace

std::expected<FromDeviceFrame, DecodeError> decode_from_device(Role role, Dialect dialect, std::string_view text) {
    JsonDocument document;
    const auto root = document.parse(text, max_device_frame_size(role), kMaxDepth);
    if (!root) {
        return std::unexpected{root.error()};
    }
    Problem problem;
    const ObjectReader frame{**root, {}, problem};
    auto topic = frame.string("topic");
    if (topic.size() > kMaxRepeatedSize) {
        problem.report({.name = "topic"}, "too long");
    }
    auto event = frame.string("event");
    auto ref = read_ref(frame);
    const auto* payload = frame.find("payload");
    if (!payload) {
        problem.report(kPayload, "missing");
    }
    if (!problem.is_none()) {
        return std::unexpected{DecodeError{.text = problem.text()}};
    }

    if (event == "phx_join") {
        return read_join(frame, std::move(topic), std::move(ref));
    }
    if (event == "phx_leave") {
        return LeaveFrame{.topic = std::move(topic), .ref = std::move(ref)};
    }
    if (event == "heartbeat" && topic == "phoenix") {
        return HeartbeatFrame{std::move(ref)};
    }
    return decode_message(role, dialect, *payload, std::move(topic), std::move(event), std::move(ref));
}

std::string encode_to_device(const ToDevice& message, Dialect dialect) {
    const auto encoded = std::visit([&](const auto& m) { return encode_payload(m, dialect); }, message);
    return encode_frame(topic_of(message), encoded.event, encoded.payload, "null");
}

std::string encode_ok_reply(std::string_view topic, const Ref& ref) {
    return encode_frame(topic, "phx_reply", {{"status", "ok"}, {"response", json::object{}}}, ref.json);
}

std::string encode_error_reply(std::string_view topic, const Ref& ref, std::string_view reason) {
    const json::value payload{{"status", "error"}, {"response", {{"reason", reason}}}};
    return encode_frame(topic, "phx_reply", payload, ref.json);
}

std::string encode_channel_crashed(std::string_view topic) {
    return encode_frame(topic, "phx_error", json::object{}, "null");
}

std::string encode_channel_closed(std::string_view topic) {
    return encode_frame(topic, "phx_close", json::object{}, "null");
}

std::string encode_disconnect(std::string_view topic, std::string_view reason) {
    return encode_frame(topic, "disconnect", {{"reason", reason}}, "null");
}

}  // namespace culvert::portal_api
