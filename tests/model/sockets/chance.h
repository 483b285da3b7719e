#pragma once

#include <cstdint>

#include "culvert/base/rng.h"

namespace culvert::model {

/// True `per_mille` times of a thousand.
[[nodiscard]] inline bool chance(Rng& rng, std::uint16_t per_mille) {
    return per_mille > 0 && rng.below(1000) < per_mille;
}

}  // namespace culvert::model
