#pragma once

#include <string>

#include "culvert/portal/control_plane.h"

namespace culvert::portal_server {

/// The portal for `/metrics`; all names start with `culvert_portal_`.
[[nodiscard]] std::string render_metrics(const portal::Statistics& statistics, std::size_t expiring_tokens);

}  // namespace culvert::portal_server
