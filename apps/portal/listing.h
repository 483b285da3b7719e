#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/portal/inventory.h"
#include "culvert/base/rfc3339.h"

/// Lists of tokens and devices, as people and as programs like them. Names are chosen by whoever runs a device, so
/// nothing in them reaches a terminal that could act on it.
namespace culvert::portal_server {

/// Columns under a line of headings; times in UTC. `now` tells what has expired.
[[nodiscard]] std::string to_table(const std::vector<TokenListing>& tokens, UnixSeconds now);
[[nodiscard]] std::string to_table(const std::vector<DeviceListing>& devices);

/// A JSON array with a line for each object. Keys are always there; null stands for what there is not; times are RFC
/// 3339 in UTC.
[[nodiscard]] std::string to_json(const std::vector<TokenListing>& tokens);
[[nodiscard]] std::string to_json(const std::vector<DeviceListing>& devices);

/// Of flows, under columns, the newest last; and as JSON, one object in each line. Names of devices that are gone are
/// their ids.
[[nodiscard]] std::string to_table(const std::vector<FlowListing>& flows);
[[nodiscard]] std::string to_json_lines(const std::vector<FlowListing>& flows);

/// "client", "gateway", "relay", "api": as on the command line.
[[nodiscard]] std::string_view kind_name(portal::TokenType type);
[[nodiscard]] std::string_view kind_name(DeviceKind kind);

}  // namespace culvert::portal_server
