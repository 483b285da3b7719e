#pragma once

#include <span>
#include <vector>

#include "culvert/connectivity/relay_server.h"
#include "culvert/portal_api/messages.h"

namespace culvert::tunnel {

/// Merges neighbouring entries with one id into a dual-stack relay; a second address of a family is ignored with a
/// warning (spec/portal-protocol.md section 5.4).
[[nodiscard]] std::vector<connectivity::RelayServer> to_relay_servers(std::span<const portal_api::Relay> relays);

}  // namespace culvert::tunnel
