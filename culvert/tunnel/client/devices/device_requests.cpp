#include "culvert/tunnel/client/devices/device_requests.h"

#include <utility>

namespace culvert::tunnel {

bool DeviceRequests::request(const ClientId& device, const ResourceId& pool, Instant now) {
    auto& request = requests_.try_emplace(device, Request{.pool = pool}).first->second;
    if (was_asked({device, request.pool}, now) || was_asked({device, pool}, now)) {
        return false;
    }
    std::erase_if(asked_, [&](const auto& asked) { return now - asked.second >= kIntentInterval; });
    asked_.emplace(Subject{device, pool}, now);
    request.pool = pool;
    return true;
}

bool DeviceRequests::was_asked(const Subject& subject, Instant now) const {
    const auto asked = asked_.find(subject);
    return asked != asked_.end() && now - asked->second < kIntentInterval;
}

std::optional<DeviceRequests::Request> DeviceRequests::take(const ClientId& device) {
    auto request = requests_.extract(device);
    return request ? std::optional{std::move(request.mapped())} : std::nullopt;
}

}  // namespace culvert::tunnel
