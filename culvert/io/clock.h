#pragma once

#include "culvert/base/time.h"

namespace culvert::io {

/// The machine's monotonic clock (CLOCK_MONOTONIC).
[[nodiscard]] Instant monotonic_now();

/// The machine's civil time.
[[nodiscard]] WallTime wall_now();

}  // namespace culvert::io
