#pragma once

#include <expected>
#include <string>

#include "culvert/session/device_session.h"

namespace culvert::session {

/// Runs a gateway until SIGINT or SIGTERM (success) or until it cannot go on; the error is for a person. The host
/// forwards and masquerades what leaves the tunnel for as long.
///
/// Source: spec/session-and-apps.md section 5, spec/tunnel.md sections 6.10 and 6.11.
[[nodiscard]] std::expected<void, std::string> run_gateway(DeviceOptions options);

}  // namespace culvert::session
