#pragma once

#include <string>

#include "culvert/portal/control_plane.h"

namespace culvert::portal_server {

/// Prometheus text (exposition format 0.0.4).
[[nodiscard]] std::string render_metrics(const portal::Statistics& statistics, std::size_t expiring_tokens);

}  // namespace culvert::portal_server
