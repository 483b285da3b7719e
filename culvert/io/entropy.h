#pragma once

#include "culvert/base/rng.h"

namespace culvert::io {

/// A seed from the operating system (getrandom). Throws std::system_error if there is none, which no product survives.
[[nodiscard]] Rng::Seed os_seed();

}  // namespace culvert::io
