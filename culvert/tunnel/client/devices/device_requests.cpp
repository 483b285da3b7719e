#include "culvert/tunnel/client/devices/device_requests.h"

#include <utility>

namespace culvert::tunnel {

bool DeviceRequests::request(const ClientId& device, const ResourceId& pool, Instant now) {
    const auto [entry, is_new] = requests_.try_emplace(device, Request{.pool = pool, .last_intent = now});
    auto& request = entry->second;
    if (!is_new && now - request.last_intent < kIntentInterval) {
        return false;
    }
    request.pool = pool;
    request.last_intent = now;
    return true;
}

std::optional<DeviceRequests::Request> DeviceRequests::take(const ClientId& device) {
    auto request = requests_.extract(device);
    return request ? std::optional{std::move(request.mapped())} : std::nullopt;
}

}  // namespace culvert::tunnel
