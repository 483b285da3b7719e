#include "culvert/tunnel/client/recent_gateways.h"

#include <algorithm>

#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

void RecentGateways::touch(const GatewayId& gateway) {
    std::erase(gateways_, gateway);
    gateways_.push_front(gateway);
    if (gateways_.size() > kRecentGateways) {
        gateways_.pop_back();
    }
}

std::vector<GatewayId> RecentGateways::sorted() const {
    std::vector<GatewayId> gateways{gateways_.begin(), gateways_.end()};
    std::ranges::sort(gateways);
    return gateways;
}

}  // namespace culvert::tunnel
