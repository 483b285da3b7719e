#include "culvert/admin/throttle.h"

#include <algorithm>

namespace culvert::admin {

std::optional<std::chrono::seconds> Throttle::take(const std::string& key, Instant now) {
    auto entry = full_at_.find(key);
    if (entry == full_at_.end()) {
        make_room(now);
        entry = full_at_.emplace(key, now).first;
    }
    const auto full_at = std::max(entry->second, now) + interval_;
    if (full_at - now > room_) {
        return std::chrono::ceil<std::chrono::seconds>(full_at - now - room_);
    }
    entry->second = full_at;
    return std::nullopt;
}

void Throttle::make_room(Instant now) {
    if (full_at_.size() < max_keys_) {
        return;
    }
    std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    if (full_at_.size() >= max_keys_) {
        full_at_.erase(std::ranges::min_element(full_at_, {}, [](const auto& entry) { return entry.second; }));
    }
}

}  // namespace culvert::admin
