#include "culvert/tunnel/client/pending_flows.h"

#include <utility>

namespace culvert::tunnel {

bool PendingFlows::request(const ResourceId& resource, Instant now) {
    const auto [flow, is_new] = flows_.try_emplace(resource, Flow{.last_intent = now});
    if (is_new) {
        return true;
    }
    if (now - flow->second.last_intent < kIntentInterval) {
        return false;
    }
    flow->second.last_intent = now;
    return true;
}

PacketBuffer* PendingFlows::packets(const ResourceId& resource) {
    const auto flow = flows_.find(resource);
    return flow == flows_.end() ? nullptr : &flow->second.packets;
}

std::optional<PacketBuffer> PendingFlows::take(const ResourceId& resource) {
    auto flow = flows_.extract(resource);
    return flow ? std::optional{std::move(flow.mapped().packets)} : std::nullopt;
}

}  // namespace culvert::tunnel
