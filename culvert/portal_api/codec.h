#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/portal_api/dialect.h"
#include "culvert/portal_api/frame.h"
#include "culvert/portal_api/role.h"

/// Frames and messages from and to JSON text, for both ends. Source: spec/portal-protocol.md sections 3 and 5 to 8, and
/// spec/newer-dialect.md sections 4 to 8. Nothing above this knows how the dialects differ.
///
/// Decoding is tolerant exactly where the specification asks for it: unknown members are ignored; a client skips a
/// resource of unknown type (DEBUG) or with a malformed body (WARN); everything else that does not fit invalidates the
/// whole frame. Decoders never throw and bound the nesting they accept.
namespace culvert::portal_api {

/// The longest message a device accepts.
inline constexpr std::size_t kMaxMessageSize = std::size_t{64} << 20U;

/// The longest frame the portal accepts from a device. A client names a hundred gateways or a few dozen candidates at
/// most, which is less than a tenth of it; a gateway's candidates may be for many clients at once.
[[nodiscard]] constexpr std::size_t max_device_frame_size(Role role) {
    return std::size_t{role == Role::kGateway ? 256U : 64U} * 1024;
}
/// The longest topic and `ref` of a device's frame, which its answer repeats. Those of all devices have a few bytes.
inline constexpr std::size_t kMaxRepeatedSize = 128;

struct DecodeError {
    enum class Kind : std::uint8_t {
        kTruncated,   // the text ends before its JSON value does; a device takes that for a lost connection
        kUndecodable  // anything else
    };
    Kind kind = Kind::kUndecodable;
    /// What is wrong and where; never contains values of the frame.
    std::string text;
};

// --- Device's end ---

/// Decodes what the portal sent to a device of the given role. A MessageFrame then holds that role's alternative.
[[nodiscard]] std::expected<ToDeviceFrame, DecodeError> decode_to_device(Role role, Dialect dialect,
                                                                         std::string_view text);

/// `phx_join`; `stamp_secret` is for relays only, which announce what they understand beyond the specification as well.
[[nodiscard]] std::string encode_join(Role role, std::uint64_t ref, const std::optional<std::string>& stamp_secret);
[[nodiscard]] std::string encode_heartbeat(std::uint64_t ref);
[[nodiscard]] std::string encode_from_device(const FromDevice& message, Dialect dialect, std::uint64_t ref);

// --- Portal's end ---

/// Decodes what a device of the given role sent. An error means that the connection is to be closed (3.1).
[[nodiscard]] std::expected<FromDeviceFrame, DecodeError> decode_from_device(Role role, Dialect dialect,
                                                                             std::string_view text);

/// A push, with `"ref":null`.
[[nodiscard]] std::string encode_to_device(const ToDevice& message, Dialect dialect);
[[nodiscard]] std::string encode_ok_reply(std::string_view topic, const Ref& ref);
[[nodiscard]] std::string encode_error_reply(std::string_view topic, const Ref& ref, std::string_view reason);
/// `phx_error`
[[nodiscard]] std::string encode_channel_crashed(std::string_view topic);
/// `phx_close`
[[nodiscard]] std::string encode_channel_closed(std::string_view topic);
/// `disconnect`
[[nodiscard]] std::string encode_disconnect(std::string_view topic, std::string_view reason);

}  // namespace culvert::portal_api
