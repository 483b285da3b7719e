// Every message of the portal protocol with any payload: the first byte selects role, direction and event, the rest is
// the payload. What decodes must come out the same once encoded and decoded again.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "culvert/portal_api/codec.h"

namespace {

using namespace culvert::portal_api;

struct Kind {
    Role role;
    bool is_to_device;
    std::string_view event;
};

constexpr std::array kKinds{
    Kind{Role::kClient, true, "init"},
    Kind{Role::kClient, true, "config_changed"},
    Kind{Role::kClient, true, "resource_created_or_updated"},
    Kind{Role::kClient, true, "resource_deleted"},
    Kind{Role::kClient, true, "relays_presence"},
    Kind{Role::kClient, true, "flow_created"},
    Kind{Role::kClient, true, "flow_creation_failed"},
    Kind{Role::kClient, true, "ice_candidates"},
    Kind{Role::kClient, true, "invalidate_ice_candidates"},
    Kind{Role::kClient, false, "create_flow"},
    Kind{Role::kClient, false, "broadcast_ice_candidates"},
    Kind{Role::kClient, false, "broadcast_invalidated_ice_candidates"},
    Kind{Role::kGateway, true, "init"},
    Kind{Role::kGateway, true, "authorize_flow"},
    Kind{Role::kGateway, true, "access_authorization_expiry_updated"},
    Kind{Role::kGateway, true, "reject_access"},
    Kind{Role::kGateway, true, "resource_updated"},
    Kind{Role::kGateway, true, "relays_presence"},
    Kind{Role::kGateway, true, "ice_candidates"},
    Kind{Role::kGateway, true, "invalidate_ice_candidates"},
    Kind{Role::kGateway, false, "flow_authorized"},
    Kind{Role::kGateway, false, "broadcast_ice_candidates"},
    Kind{Role::kGateway, false, "broadcast_invalidated_ice_candidates"},
    Kind{Role::kRelay, true, "init"},
    Kind{Role::kRelay, false, "phx_join"},
};

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto& kind = kKinds[data[0] % kKinds.size()];
    const std::string_view payload{reinterpret_cast<const char*>(data) + 1, size - 1};
    std::string text = R"({"topic":"t","ref":1,"event":")";
    text += kind.event;
    text += R"(","payload":)";
    text += payload;
    text += '}';

    if (kind.is_to_device) {
        const auto frame = decode_to_device(kind.role, text);
        if (const auto* message = frame ? std::get_if<MessageFrame>(&*frame) : nullptr) {
            const auto encoded = encode_to_device(message->message);
            const auto again = decode_to_device(kind.role, encoded);
            require(again && encode_to_device(std::get<MessageFrame>(*again).message) == encoded);
        }
    } else {
        const auto frame = decode_from_device(kind.role, text);
        if (const auto* message = frame ? std::get_if<DeviceMessageFrame>(&*frame) : nullptr) {
            const auto again = decode_from_device(kind.role, encode_from_device(message->message, 1));
            require(again && std::get<DeviceMessageFrame>(*again).message == message->message);
        }
    }
    return 0;
}
