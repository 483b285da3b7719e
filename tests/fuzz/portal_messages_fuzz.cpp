// Every message of the portal protocol with any payload: the first byte selects role, direction and event, the rest is
// the payload. What decodes must come out the same once encoded and decoded again, and mean the same in both dialects.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/parse.hpp>

#include "culvert/portal_api/codec.h"

namespace {

using namespace culvert::portal_api;

struct Kind {
    Role role;
    bool is_to_device;
    std::string_view event;
    /// Where the dialects differ.
    std::string_view v2_event = event;
};

constexpr std::array kKinds{
    Kind{Role::kClient, true, "init"},
    Kind{Role::kClient, true, "config_changed"},
    Kind{Role::kClient, true, "resource_created_or_updated"},
    Kind{Role::kClient, true, "resource_deleted"},
    Kind{Role::kClient, true, "relays_presence"},
    Kind{Role::kClient, true, "flow_created", "authorization_created"},
    Kind{Role::kClient, true, "flow_creation_failed", "authorization_creation_failed"},
    Kind{Role::kClient, true, "ice_candidates"},
    Kind{Role::kClient, true, "invalidate_ice_candidates"},
    Kind{Role::kClient, false, "create_flow", "request_authorization"},
    Kind{Role::kClient, false, "broadcast_ice_candidates"},
    Kind{Role::kClient, false, "broadcast_invalidated_ice_candidates"},
    Kind{Role::kGateway, true, "init"},
    Kind{Role::kGateway, true, "authorize_flow", "create_authorization"},
    Kind{Role::kGateway, true, "access_authorization_expiry_updated"},
    Kind{Role::kGateway, true, "reject_access"},
    Kind{Role::kGateway, true, "resource_updated"},
    Kind{Role::kGateway, true, "relays_presence"},
    Kind{Role::kGateway, true, "ice_candidates"},
    Kind{Role::kGateway, true, "invalidate_ice_candidates"},
    Kind{Role::kGateway, false, "flow_authorized", "authorization_created"},
    Kind{Role::kGateway, false, "broadcast_ice_candidates"},
    Kind{Role::kGateway, false, "broadcast_invalidated_ice_candidates"},
    Kind{Role::kRelay, true, "init"},
    Kind{Role::kRelay, false, "phx_join"},
    Kind{Role::kClient, true, "gateway_ice_candidates"},
    Kind{Role::kClient, true, "invalidate_gateway_ice_candidates"},
    Kind{Role::kClient, false, "new_gateway_ice_candidates"},
    Kind{Role::kClient, false, "invalidate_gateway_ice_candidates"},
    Kind{Role::kClient, false, "no_relays"},
    Kind{Role::kGateway, false, "set_snownet_capabilities"},
    Kind{Role::kClient, true, "client_device_access_authorized"},
    Kind{Role::kClient, true, "client_device_access_denied"},
    Kind{Role::kClient, true, "client_ice_candidates"},
    Kind{Role::kClient, true, "invalidate_client_ice_candidates"},
    Kind{Role::kClient, true, "client_ice_candidate_error"},
    Kind{Role::kClient, true, "reject_access"},
    Kind{Role::kClient, true, "resource_filters_updated"},
    Kind{Role::kClient, false, "new_client_ice_candidates"},
    Kind{Role::kClient, false, "invalidate_client_ice_candidates"},
    Kind{Role::kClient, false, "set_snownet_capabilities"},
    Kind{Role::kGateway, false, "no_relays"},
    Kind{Role::kRelay, true, "turn_users"},
};

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::string frame_of(std::string_view event, std::string_view payload) {
    std::string text = R"({"topic":"t","ref":1,"event":")";
    text += event;
    text += R"(","payload":)";
    text += payload;
    text += '}';
    return text;
}

/// Else it may hold another event.
bool is_one_value(std::string_view payload) {
    boost::system::error_code error;
    static_cast<void>(boost::json::parse(boost::json::string_view{payload.data(), payload.size()}, error));
    return !error;
}

/// What a device is told; nullopt if it cannot read that, or need not.
std::optional<ToDevice> check_to_device(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_to_device(role, dialect, text);
    const auto* message = frame ? std::get_if<MessageFrame>(&*frame) : nullptr;
    if (message == nullptr) {
        return std::nullopt;
    }
    const auto encoded = encode_to_device(message->message, dialect);
    const auto again = decode_to_device(role, dialect, encoded);
    require(again && encode_to_device(std::get<MessageFrame>(*again).message, dialect) == encoded);
    return message->message;
}

std::optional<FromDevice> check_from_device(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_from_device(role, dialect, text);
    const auto* message = frame ? std::get_if<DeviceMessageFrame>(&*frame) : nullptr;
    if (message == nullptr) {
        return std::nullopt;
    }
    const auto again = decode_from_device(role, dialect, encode_from_device(message->message, dialect, 1));
    require(again && std::get<DeviceMessageFrame>(*again).message == message->message);
    return message->message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto& kind = kKinds[data[0] % kKinds.size()];
    const std::string_view payload{reinterpret_cast<const char*>(data) + 1, size - 1};
    const auto v1 = frame_of(kind.event, payload);
    const auto v2 = frame_of(kind.v2_event, payload);
    const bool is_comparable = is_one_value(payload);
    if (kind.is_to_device) {
        const auto old = check_to_device(kind.role, Dialect::kV1, v1);
        const auto newer = check_to_device(kind.role, Dialect::kV2, v2);
        require(!is_comparable || old.has_value() == newer.has_value());
        require(!is_comparable || !old ||
                encode_to_device(*old, Dialect::kV1) == encode_to_device(*newer, Dialect::kV1));
    } else {
        const auto old = check_from_device(kind.role, Dialect::kV1, v1);
        const auto newer = check_from_device(kind.role, Dialect::kV2, v2);
        require(!is_comparable || old == newer);
    }
    if (is_comparable && kind.event != kind.v2_event) {
        require(!check_to_device(kind.role, Dialect::kV1, v2) && !check_to_device(kind.role, Dialect::kV2, v1));
        require(!check_from_device(kind.role, Dialect::kV1, v2) && !check_from_device(kind.role, Dialect::kV2, v1));
    }
    return 0;
}
