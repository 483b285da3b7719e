#pragma once

#include <string>

#include "apps/relay/portal_link.h"
#include "apps/relay/relay_loop.h"

namespace culvert::relay_server {

/// What operators watch, in Prometheus' text format (spec/relay.md section 9.1 with Prometheus' names).
[[nodiscard]] std::string render_metrics(const RelayLoop::Snapshot& snapshot, const PortalLink& portal);

}  // namespace culvert::relay_server
