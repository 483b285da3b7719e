#pragma once

#include <string>

#include "apps/relay/data_plane.h"
#include "apps/relay/portal_link.h"

namespace culvert::relay {

/// What operators watch, in Prometheus' text format (spec/relay.md section 9.1 with Prometheus' names).
[[nodiscard]] std::string render_metrics(const DataPlane::Snapshot& snapshot, const PortalLink& portal);

}  // namespace culvert::relay
