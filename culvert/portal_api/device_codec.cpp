#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/base/overloaded.h"
#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/json_document.h"
#include "culvert/portal_api/payload.h"

/// Frames at the device's end (3.2, 3.3).
namespace culvert::portal_api {
namespace {

// Deeper than any message, and what other implementations allow by default.
constexpr std::size_t kMaxDepth = 128;

constexpr Place kPayload{.name = "payload"};

/// nullopt if absent or null.
std::optional<std::uint64_t> read_ref(const ObjectReader& frame) {
    const auto* value = frame.find("ref");
    if (!value || value->is_null()) {
        return std::nullopt;
    }
    if (value->is_uint64()) {
        return value->get_uint64();
    }
    if (value->is_int64() && value->get_int64() >= 0) {
        return static_cast<std::uint64_t>(value->get_int64());
    }
    frame.problem().report({.name = "ref"}, "expected a number");
    return std::nullopt;
}

ErrorReason to_reason(std::string_view text) {
    if (text == "unmatched topic") {
        return ErrorReason::kUnmatchedTopic;
    }
    if (text == "invalid_version") {
        return ErrorReason::kInvalidVersion;
    }
    return text == "disabled" ? ErrorReason::kDisabled : ErrorReason::kOther;
}

std::optional<ToDeviceFrame> decode_reply(const ObjectReader& frame, std::string topic) {
    auto& problem = frame.problem();
    const auto ref = read_ref(frame);
    if (!ref) {
        problem.report({.name = "ref"}, "missing");
        return std::nullopt;
    }
    const auto payload = frame.object("payload");
    const auto status = payload.string("status");
    const auto* response = payload.find("response");
    if (status == "error") {
        const auto reason = payload.object("response").string("reason");
        return ErrorReply{.topic = std::move(topic), .ref = *ref, .reason = to_reason(reason), .text = reason};
    }
    if (status == "ok" && response && response->is_null()) {
        return NullReply{.topic = std::move(topic), .ref = *ref};
    }
    if (status == "ok" && response && response->is_object() && response->get_object().empty()) {
        return OkReply{.topic = std::move(topic), .ref = *ref};
    }
    problem.report(kPayload, "unknown kind of reply");
    return std::nullopt;
}

/// The payloads of phx_error and phx_close have no members, not even unknown ones.
void expect_empty_payload(const ObjectReader& frame) {
    const auto* payload = frame.find("payload");
    if (!payload || !payload->is_object() || !payload->get_object().empty()) {
        frame.problem().report(kPayload, "expected an empty object");
    }
}

template <typename Message>
std::optional<ToDeviceFrame> to_frame(Decoded<Message> message, std::string topic) {
    if (!message) {
        return IgnoredFrame{std::move(topic)};
    }
    return MessageFrame{.topic = std::move(topic), .message = *std::move(message)};
}

std::optional<ToDeviceFrame> decode_message(Role role, Dialect dialect, std::string_view event,
                                            const ObjectReader& frame, std::string topic) {
    const auto* payload = frame.find("payload");
    if (!payload) {
        frame.problem().report(kPayload, "missing");
        return std::nullopt;
    }
    static_cast<void>(read_ref(frame));  // ignored, but a wrong type still makes the frame undecodable
    switch (role) {
        case Role::kClient:
            return to_frame(decode_client_payload(dialect, event, *payload, kPayload, frame.problem()),
                            std::move(topic));
        case Role::kGateway:
            return to_frame(decode_gateway_payload(dialect, event, *payload, kPayload, frame.problem()),
                            std::move(topic));
        case Role::kRelay:
            break;
    }
    return to_frame(decode_relay_payload(event, *payload, kPayload, frame.problem()), std::move(topic));
}

std::optional<ToDeviceFrame> decode_frame(Role role, Dialect dialect, const ObjectReader& frame) {
    auto topic = frame.string("topic");
    const auto event = frame.string("event");
    if (event == "phx_reply") {
        return decode_reply(frame, std::move(topic));
    }
    if (event == "phx_error") {
        expect_empty_payload(frame);
        return ChannelCrashed{std::move(topic)};
    }
    if (event == "phx_close") {
        expect_empty_payload(frame);
        return ChannelClosed{std::move(topic)};
    }
    if (event == "disconnect") {
        return Disconnect{std::move(topic), frame.object("payload").string("reason")};
    }
    return decode_message(role, dialect, event, frame, std::move(topic));
}

std::string encode_frame(std::string_view topic, std::string_view event, json::value payload, std::uint64_t ref) {
    const json::object frame{{"topic", topic}, {"event", event}, {"payload", std::move(payload)}, {"ref", ref}};
    return json::serialize(frame);
}

}  // namespace

std::expected<ToDeviceFrame, DecodeError> decode_to_device(Role role, Dialect dialect, std::string_view text) {
    JsonDocument document;
    const auto root = document.parse(text, kMaxMessageSize, kMaxDepth);
    if (!root) {
        return std::unexpected{root.error()};
    }
    Problem problem;
    auto frame = decode_frame(role, dialect, ObjectReader{**root, {}, problem});
    if (!problem.is_none()) {
        return std::unexpected{DecodeError{.text = problem.text()}};
    }
    return *std::move(frame);
}

std::string encode_join(Role role, std::uint64_t ref, const std::optional<std::string>& stamp_secret) {
    json::value payload;
    if (stamp_secret) {
        payload = json::object{{"stamp_secret", *stamp_secret}, {"features", json::array{kTurnUsersFeature}}};
    }
    return encode_frame(to_topic(role), "phx_join", std::move(payload), ref);
}

std::string encode_heartbeat(std::uint64_t ref) {
    return encode_frame("phoenix", "heartbeat", json::object{}, ref);
}

std::string encode_from_device(const FromDevice& message, Dialect dialect, std::uint64_t ref) {
    const auto role = std::holds_alternative<FromClient>(message) ? Role::kClient : Role::kGateway;
    auto encoded = std::visit([&](const auto& m) { return encode_payload(m, dialect); }, message);
    return encode_frame(to_topic(role), encoded.event, std::move(encoded.payload), ref);
}

}  // namespace culvert::portal_api
