#pragma once

#include <cstdint>
#include <deque>

#include "tests/model/network/network.h"
#include "tests/model/observer/verdict.h"
#include "tests/model/world/relay_users.h"

namespace culvert::model {

/// Whether strangers' datagrams, or users' recorded ones, change anything of what a relay keeps for its users (SEC-9).
class RelayWatch {
public:
    explicit RelayWatch(Verdict& verdict) : verdict_{verdict} {}

    /// A user who abuses what it may do will send this, once. What was recorded of others changes nothing.
    void permit(ByteSpan request);

    /// The relay has handled the attacker's datagram.
    void judge(const Delivery& attack, const RelayUsers& before, const RelayUsers& after, Instant now);

private:
    Verdict& verdict_;
    std::deque<std::uint64_t> permitted_;
};

}  // namespace culvert::model
