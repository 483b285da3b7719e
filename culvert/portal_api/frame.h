#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "culvert/portal_api/messages.h"

/// Frames of the Phoenix channels V1 protocol, for both ends. Source: spec/portal-protocol.md section 3. Conversion
/// from and to text is in codec.h.
namespace culvert::portal_api {

/// Everything the portal may push to a device; which of the three follows from the device's role.
using ToDevice = std::variant<ToClient, ToGateway, ToRelay>;

/// Everything a device may push to the portal (relays have no messages of their own).
using FromDevice = std::variant<FromClient, FromGateway>;

// --- Portal -> device (3.3) ---

/// An application message.
struct MessageFrame {
    std::string topic;
    ToDevice message;
};
/// An application message without any content that this generation understands: a resource of unknown type, or a
/// malformed one. Already logged.
struct IgnoredFrame {
    std::string topic;
};
/// `phx_reply` with status `ok` and an empty object: acknowledges a join.
struct OkReply {
    std::string topic;
    std::uint64_t ref = 0;
};
/// `phx_reply` with status `ok` and `null`; nobody waits for one.
struct NullReply {
    std::string topic;
    std::uint64_t ref = 0;
};
enum class ErrorReason : std::uint8_t { kUnmatchedTopic, kInvalidVersion, kDisabled, kOther };
/// `phx_reply` with status `error`.
struct ErrorReply {
    std::string topic;
    std::uint64_t ref = 0;
    ErrorReason reason = ErrorReason::kOther;
    std::string text;  // the reason as it was sent
};
/// `phx_error`: the portal's end of the channel crashed, the connection goes on.
struct ChannelCrashed {
    std::string topic;
};
/// `phx_close`
struct ChannelClosed {
    std::string topic;
};
/// `disconnect`: the portal is about to end the connection, and says why.
struct Disconnect {
    std::string topic;
    std::string reason;
};

using ToDeviceFrame =
    std::variant<MessageFrame, IgnoredFrame, OkReply, NullReply, ErrorReply, ChannelCrashed, ChannelClosed, Disconnect>;

// --- Device -> portal (3.1, 3.2) ---

/// The `ref` of a device's frame as JSON text. The portal repeats it as it came: a number stays a number.
struct Ref {
    std::string json = "null";

    friend bool operator==(const Ref&, const Ref&) = default;
};

/// `phx_join`
struct JoinFrame {
    std::string topic;
    Ref ref;
    std::optional<std::string> stamp_secret;  // of relays
    bool takes_turn_users = false;            // of relays that announce kTurnUsersFeature
};
/// `phx_leave`; the devices of this generation never send it, but other Phoenix clients do.
struct LeaveFrame {
    std::string topic;
    Ref ref;
};
/// `heartbeat` on the topic `phoenix`
struct HeartbeatFrame {
    Ref ref;
};
/// An application message.
struct DeviceMessageFrame {
    std::string topic;
    Ref ref;
    FromDevice message;
};
/// A well-formed frame with an event that the role does not have, or a payload that does not fit the event. To be
/// answered with the error `unknown_message`.
struct UnknownFrame {
    std::string topic;
    Ref ref;
    std::string event;
    std::string why;
};

using FromDeviceFrame = std::variant<JoinFrame, LeaveFrame, HeartbeatFrame, DeviceMessageFrame, UnknownFrame>;

}  // namespace culvert::portal_api
