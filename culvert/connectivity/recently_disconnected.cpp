#include "culvert/connectivity/recently_disconnected.h"

#include <algorithm>

#include "culvert/connectivity/constants.h"

namespace culvert::connectivity {

void RecentlyDisconnected::add(const ConnectionId& id, const crypto::PublicKey& peer, std::uint32_t index,
                               Instant now) {
    if (entries_.size() == kMaxRecentlyDisconnected) {
        entries_.pop_front();
    }
    entries_.push_back({id, peer, index, now});
}

template <typename Predicate>
bool RecentlyDisconnected::any(Instant now, Predicate predicate) const {
    return std::ranges::any_of(
        entries_, [&](const Entry& entry) { return now - entry.at < kRecentlyDisconnectedMemory && predicate(entry); });
}

bool RecentlyDisconnected::contains(const ConnectionId& id, Instant now) const {
    return any(now, [&](const Entry& entry) { return entry.id == id; });
}

bool RecentlyDisconnected::contains(const crypto::PublicKey& peer, Instant now) const {
    return any(now, [&](const Entry& entry) { return entry.peer == peer; });
}

bool RecentlyDisconnected::contains(std::uint32_t index, Instant now) const {
    return any(now, [&](const Entry& entry) { return entry.index == index; });
}

void RecentlyDisconnected::handle_timeout(Instant now) {
    while (!entries_.empty() && now - entries_.front().at >= kRecentlyDisconnectedMemory) {
        entries_.pop_front();
    }
}

}  // namespace culvert::connectivity
