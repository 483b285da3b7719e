#include "culvert/tunnel/client/gateway_preferences.h"

#include <algorithm>

#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

void GatewayPreferences::note(const ResourceId& resource, const GatewayId& gateway) {
    std::erase(gateways_, gateway);
    gateways_.push_front(gateway);
    if (gateways_.size() > kRecentGateways) {
        gateways_.pop_back();
    }
    if (last_.size() < kRememberedResources || last_.contains(resource)) {
        last_.insert_or_assign(resource, gateway);
    }
}

std::vector<GatewayId> GatewayPreferences::for_resource(const ResourceId& resource,
                                                        std::span<const GatewayId> connected) const {
    std::vector<GatewayId> list;
    const auto append = [&](std::vector<GatewayId> gateways) {
        std::ranges::sort(gateways);
        for (const auto& gateway : gateways) {
            if (list.size() < kRecentGateways && std::ranges::find(list, gateway) == list.end()) {
                list.push_back(gateway);
            }
        }
    };
    if (const auto last = last_.find(resource); last != last_.end()) {
        append({last->second});
    }
    append({connected.begin(), connected.end()});
    append({gateways_.begin(), gateways_.end()});
    return list;
}

}  // namespace culvert::tunnel
