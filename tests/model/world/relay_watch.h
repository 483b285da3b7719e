#pragma once

#include <cstdint>
#include <deque>
#include <set>

#include "model/network/network.h"
#include "model/observer/verdict.h"
#include "model/world/observation.h"
#include "model/world/relay_users.h"

namespace culvert::model {

/// Whether strangers' datagrams change anything of what a relay keeps for its users (SEC-9).
class RelayWatch {
public:
    explicit RelayWatch(Verdict& verdict) : verdict_{verdict} {}

    /// Learns what users ask relays for.
    void watch(const Observation& observation);
    /// A user who abuses what it may do will send this.
    void permit(ByteSpan request) { remember(request); }

    /// The relay has handled the attacker's datagram. Returns whether that changed what somebody has there,
    /// which a recorded request can do: until its nonce is used up TURN cannot tell it from the original.
    bool judge(const Delivery& attack, const RelayUsers& before, const RelayUsers& after, Instant now);

private:
    void remember(ByteSpan request);

    Verdict& verdict_;
    std::deque<std::uint64_t> requests_;
};

}  // namespace culvert::model
