#include "culvert/tunnel/client/access_requests.h"

#include <utility>

namespace culvert::tunnel {

bool AccessRequests::request(const ResourceId& resource, Instant now) {
    const auto [request, is_new] = requests_.try_emplace(resource, Request{.last_intent = now});
    if (!is_new && now - request->second.last_intent < kIntentInterval) {
        return false;
    }
    std::erase_if(limiters_, [&](const auto& limiter) { return limiter.second.is_full(now); });
    request->second.last_intent = now;
    return limiters_[resource].take(kIntents, now);
}

AccessRequests::Waiting* AccessRequests::waiting(const ResourceId& resource) {
    const auto request = requests_.find(resource);
    return request == requests_.end() ? nullptr : &request->second.waiting;
}

void AccessRequests::drop_waiting(const ResourceId& resource) {
    if (const auto request = requests_.find(resource); request != requests_.end()) {
        request->second.waiting = {};
    }
}

std::vector<ResourceId> AccessRequests::renew(Instant now) {
    std::vector<ResourceId> renewed;
    for (auto& [resource, request] : requests_) {
        if (now - request.last_intent <= kIntentLifetime) {
            request.last_intent = now;
            renewed.push_back(resource);
        }
    }
    return renewed;
}

std::optional<AccessRequests::Waiting> AccessRequests::take(const ResourceId& resource) {
    auto request = requests_.extract(resource);
    return request ? std::optional{std::move(request.mapped().waiting)} : std::nullopt;
}

}  // namespace culvert::tunnel
