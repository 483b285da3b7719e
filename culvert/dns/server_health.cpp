#include "culvert/dns/server_health.h"

#include <algorithm>

#include "culvert/dns/constants.h"

namespace culvert::dns {

std::vector<Upstream> ServerHealth::order(const Upstream& own, std::span<const Sentinels::Mapping> all) const {
    std::vector<Upstream> servers{own};
    for (const auto& mapping : all) {
        if (mapping.server != own) {
            servers.push_back(mapping.server);
        }
    }
    std::ranges::stable_partition(servers, [&](const Upstream& server) { return !is_silent(server); });
    return servers;
}

void ServerHealth::answered(const Upstream& server, Instant now) {
    servers_[server] = {.answered_at = now};
}

void ServerHealth::failed(const Upstream& server, Instant asked_at, Instant now) {
    auto& state = servers_[server];
    const bool did_answer = state.answered_at && *state.answered_at >= asked_at;
    if (!did_answer && !state.probe_at) {
        state.probe_at = now + kProbeInterval;
    }
}

bool ServerHealth::take_probe(const Upstream& server, Instant now) {
    const auto found = servers_.find(server);
    if (found == servers_.end() || !found->second.probe_at || now < *found->second.probe_at) {
        return false;
    }
    found->second.probe_at = now + kProbeInterval;
    return true;
}

bool ServerHealth::is_silent(const Upstream& server) const {
    const auto found = servers_.find(server);
    return found != servers_.end() && found->second.probe_at.has_value();
}

}  // namespace culvert::dns
