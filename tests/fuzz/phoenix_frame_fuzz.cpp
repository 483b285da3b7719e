// Phoenix frames on any text, at both ends: what a decoder accepts keeps its meaning when it is encoded and decoded
// again, and nothing that it refuses comes with an empty reason.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "culvert/portal_api/codec.h"

namespace {

using namespace culvert::portal_api;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_device_end(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_to_device(role, dialect, text);
    if (!frame) {
        require(!frame.error().text.empty());
        return;
    }
    if (const auto* message = std::get_if<MessageFrame>(&*frame)) {
        require(message->message.index() == static_cast<std::size_t>(role));
        const auto encoded = encode_to_device(message->message, dialect);
        const auto again = decode_to_device(role, dialect, encoded);
        require(again && encode_to_device(std::get<MessageFrame>(*again).message, dialect) == encoded);
    } else if (const auto* ok = std::get_if<OkReply>(&*frame)) {
        const auto again = decode_to_device(role, dialect, encode_ok_reply(ok->topic, {std::to_string(ok->ref)}));
        require(again && std::get<OkReply>(*again).ref == ok->ref);
    } else if (const auto* error = std::get_if<ErrorReply>(&*frame)) {
        const auto again = decode_to_device(
            role, dialect, encode_error_reply(error->topic, {std::to_string(error->ref)}, error->text));
        require(again && std::get<ErrorReply>(*again).reason == error->reason);
    }
}

void check_portal_end(Role role, Dialect dialect, std::string_view text) {
    const auto frame = decode_from_device(role, dialect, text);
    if (!frame) {
        require(!frame.error().text.empty());
        return;
    }
    if (const auto* join = std::get_if<JoinFrame>(&*frame)) {
        const auto reply = decode_to_device(role, dialect, encode_ok_reply(join->topic, join->ref));
        require(reply || !join->ref.json.starts_with('1'));
    } else if (const auto* message = std::get_if<DeviceMessageFrame>(&*frame)) {
        const auto encoded = encode_from_device(message->message, dialect, 5);
        const auto again = decode_from_device(role, dialect, encoded);
        require(again && std::get<DeviceMessageFrame>(*again).message == message->message);
    } else if (const auto* unknown = std::get_if<UnknownFrame>(&*frame)) {
        require(!unknown->why.empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    for (const auto role : {Role::kClient, Role::kGateway, Role::kRelay}) {
        for (const auto dialect : {Dialect::kV1, Dialect::kV2}) {
            check_device_end(role, dialect, text);
            check_portal_end(role, dialect, text);
        }
    }
    return 0;
}
