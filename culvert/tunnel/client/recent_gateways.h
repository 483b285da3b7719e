#pragma once

#include <deque>
#include <vector>

#include "culvert/base/uuid.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The gateways used last; the portal prefers them for further flows (spec/tunnel.md section 3.12).
class RecentGateways {
public:
    /// Moves `gateway` to the front; the least recently used one falls off at kRecentGateways.
    void touch(const GatewayId& gateway);
    void clear() { gateways_.clear(); }

    /// In ascending order: on the wire it is a set.
    [[nodiscard]] std::vector<GatewayId> sorted() const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::deque<GatewayId> gateways_;
};

}  // namespace culvert::tunnel
