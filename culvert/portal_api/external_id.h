#pragma once

#include <string>
#include <string_view>

#include "culvert/base/rng.h"

/// The stable identity of a device. Source: spec/portal-protocol.md section 2.2, spec/session-and-apps.md section 7.3.
namespace culvert::portal_api {

/// Application ids that derive_device_id() takes.
inline constexpr std::string_view kClientAppId = "e1e465ce763e4759945c650ac334501f";
inline constexpr std::string_view kGatewayAppId = "753b38f9f96947ef8083802d5909a372";

/// What is sent for a configured or derived device id: an id that reads as a UUID (hyphenated, 32 digits, in braces or
/// as a URN) is hashed, any other is sent as it is. Changing this rule changes the identity of every device.
[[nodiscard]] std::string to_external_id(std::string_view device_id);

/// Whether this is what firmware, installers or people put where an id should be, such as a UUID of zeros: many
/// machines have it, so it identifies none.
[[nodiscard]] bool is_placeholder_id(std::string_view text);

/// Whether `text`, apart from white space around it, can be a machine's own: 32 hexadecimal digits (man machine-id)
/// that are no placeholder. "uninitialized" and empty are what images have that are made to be copied.
[[nodiscard]] bool is_machine_id(std::string_view text);

/// The device id of a machine without a configured one. `machine_id` is the whole content of /etc/machine-id, with its
/// newline.
[[nodiscard]] std::string derive_device_id(std::string_view app_id, std::string_view machine_id);

/// A new random device id.
[[nodiscard]] std::string generate_device_id(Rng& rng);

}  // namespace culvert::portal_api
