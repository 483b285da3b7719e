#pragma once

#include <cstddef>
#include <string>

#include "culvert/base/rng.h"

namespace culvert::connectivity {

/// Where a node's randomness comes from. The shards of a device are one peer to others, so they have the same key pair,
/// before and after each reset; all else that is secret or has to be unique is each shard's own.
struct Seeds {
    // NOLINTNEXTLINE(google-explicit-constructor): a node that is alone needs one generator.
    Seeds(const Rng& rng) : identity{rng.child("identities")}, own{rng} {}
    Seeds(const Rng& for_identity, const Rng& for_the_rest) : identity{for_identity}, own{for_the_rest} {}

    /// Of one shard of the device that `rng` is for.
    [[nodiscard]] static Seeds of_shard(const Rng& rng, std::size_t number) {
        return {rng.child("identities"), rng.child("shard " + std::to_string(number))};
    }

    Rng identity;
    Rng own;
};

}  // namespace culvert::connectivity
