#pragma once

#include <cstddef>
#include <map>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"

namespace culvert::portal {

/// How many ICE candidates one connection may have passed on to each peer: a peer's connection to the portal is not
/// there for others to fill.
///
/// A bucket of kCandidateBurst for each receiver, refilled at kCandidatesPerSecond. With kMaxCandidateLength that is
/// what a peer's connection takes without delay: a quarter of a MiB at once.
class CandidateBudget {
public:
    /// How many of `wanted` candidates may go to `receiver` now; they are spent.
    [[nodiscard]] std::size_t take(const Uuid& receiver, std::size_t wanted, Instant now);

    /// Receivers that something is remembered of.
    [[nodiscard]] std::size_t size() const { return full_at_.size(); }

private:
    /// Removes the buckets that are full.
    void prune(Instant now);

    /// When each receiver's bucket will be full again.
    std::map<Uuid, Instant> full_at_;
    std::size_t prune_at_size_ = 64;
};

}  // namespace culvert::portal
