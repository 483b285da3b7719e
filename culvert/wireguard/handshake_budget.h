#pragma once

#include <algorithm>

#include "culvert/base/time.h"
#include "culvert/wireguard/constants.h"

namespace culvert::wireguard {

/// The handshake messages that one source may send to a node under load: kBudgetBurst at once, then one per
/// kBudgetInterval.
class HandshakeBudget {
public:
    /// Whether one more may pass now; if so, it is counted.
    [[nodiscard]] bool take(Instant now) {
        const auto next = std::max(used_up_to_, now) + kBudgetInterval;
        if (next > now + kBudgetBurst * kBudgetInterval) {
            return false;
        }
        used_up_to_ = next;
        return true;
    }

    /// Whether nothing was taken for so long before `now` that a new budget would have been the same.
    [[nodiscard]] bool has_rested(Instant now) const { return used_up_to_ <= now - kBudgetRest; }

private:
    /// Each message uses up an interval of time, starting where the one before ended or now.
    Instant used_up_to_{Duration::min() / 2};
};

}  // namespace culvert::wireguard
