#include "culvert/connectivity/lost_relays.h"

#include <algorithm>

#include "culvert/base/deadlines.h"
#include "culvert/connectivity/constants.h"

namespace culvert::connectivity {

void LostRelays::add(const RelayServer& server, Instant now) {
    const auto [entry, is_new] = lost_.try_emplace(server.id, Entry{server, kFirstRelayRetry, std::nullopt});
    auto& lost = entry->second;
    if (!is_new) {
        lost.pause = std::min(2 * lost.pause, kLongestRelayRetry);
    }
    lost.try_at = now + lost.pause;
}

void LostRelays::keep_only(std::span<const RelayServer> listed) {
    std::erase_if(lost_, [&](const auto& entry) {
        return std::ranges::find(listed, entry.first, &RelayServer::id) == listed.end();
    });
}

void LostRelays::handle_network_change(Instant now) {
    for (auto& [id, lost] : lost_) {
        lost.pause = kFirstRelayRetry;
        if (lost.try_at) {
            lost.try_at = now;
        }
    }
}

std::vector<RelayServer> LostRelays::take_due(Instant now) {
    std::vector<RelayServer> due;
    for (auto& [id, lost] : lost_) {
        if (lost.try_at && *lost.try_at <= now) {
            lost.try_at.reset();
            due.push_back(lost.server);
        }
    }
    return due;
}

std::optional<Instant> LostRelays::next() const {
    std::optional<Instant> next;
    for (const auto& [id, lost] : lost_) {
        next = earliest(next, lost.try_at);
    }
    return next;
}

}  // namespace culvert::connectivity
