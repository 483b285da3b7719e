#include "apps/portal/unread_output.h"

#include <algorithm>

#include "apps/portal/constants.h"

namespace culvert::portal_server {

void UnreadOutput::set(portal::SessionId session, const Uuid& owner, std::size_t bytes, Instant now) {
    const auto known = waiting_.find(session);
    const auto before = known == waiting_.end() ? Waiting{.owner = owner, .since = now} : known->second;
    remove(session);
    if (bytes == 0) {
        return;
    }
    const auto since = bytes < before.bytes ? now : before.since;
    waiting_.emplace(session, Waiting{owner, bytes, since});
    auto& of_owner = owners_[owner];
    of_owner.bytes += bytes;
    of_owner.by_wait.emplace(since, session);
    total_ += bytes;
}

void UnreadOutput::remove(portal::SessionId session) {
    const auto entry = waiting_.find(session);
    if (entry == waiting_.end()) {
        return;
    }
    const auto& [owner, bytes, since] = entry->second;
    const auto of_owner = owners_.find(owner);
    of_owner->second.bytes -= bytes;
    of_owner->second.by_wait.erase({since, session});
    total_ -= bytes;
    if (of_owner->second.by_wait.empty()) {
        owners_.erase(of_owner);
    }
    waiting_.erase(entry);
}

bool UnreadOutput::is_crowded(const Uuid& owner) const {
    const auto entry = owners_.find(owner);
    return entry != owners_.end() && entry->second.bytes > kCrowdedUnread;
}

std::optional<UnreadOutput::Surplus> UnreadOutput::surplus(const Uuid& owner) const {
    if (const auto entry = owners_.find(owner); entry != owners_.end() && entry->second.bytes > kMaxUnreadOfOwner) {
        return Surplus{entry->second.by_wait.begin()->second, owner};
    }
    if (total_ <= kMaxUnread) {
        return std::nullopt;
    }
    const auto largest = std::ranges::max_element(owners_, {}, [](const auto& entry) { return entry.second.bytes; });
    return Surplus{largest->second.by_wait.begin()->second, largest->first};
}

}  // namespace culvert::portal_server
