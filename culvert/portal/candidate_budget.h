#pragma once

#include <cstddef>
#include <map>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"

namespace culvert::portal {

/// How many ICE candidates one connection may have passed on to each peer: a peer's connection to the portal is not
/// there for others to fill.
///
/// A bucket of kBurst for each receiver, refilled at kPerSecond. A device signals a dozen for a new connection, and as
/// many again for each further resource and when its network changes. With kMaxLength that is what a peer's connection
/// takes without delay: a quarter of a MiB at once.
class CandidateBudget {
public:
    static constexpr std::size_t kBurst = 1024;
    static constexpr std::size_t kPerSecond = 50;
    /// Bytes of one candidate; honest ones have less than 200.
    static constexpr std::size_t kMaxLength = 256;

    /// How many of `wanted` candidates may go to `receiver` now; they are spent.
    [[nodiscard]] std::size_t take(const Uuid& receiver, std::size_t wanted, Instant now);

    /// Receivers that something is remembered of.
    [[nodiscard]] std::size_t size() const { return full_at_.size(); }

private:
    void forget_full(Instant now);

    /// When each receiver's bucket will be full again.
    std::map<Uuid, Instant> full_at_;
    std::size_t next_clean_up_ = 64;
};

}  // namespace culvert::portal
