#include "culvert/turn/server/replay_guard.h"

#include <algorithm>
#include <utility>

namespace culvert::turn {

bool ReplayGuard::is_current(std::string_view user, Instant nonce_issued_at) const {
    const auto known = users_.find(user);
    const auto& from = known == users_.end() ? strangers_nonces_from_ : known->second.nonces_from;
    return !from || nonce_issued_at >= *from;
}

std::optional<std::uint16_t> ReplayGuard::find(std::string_view user, RequestId id) const {
    const auto known = users_.find(user);
    if (known == users_.end()) {
        return std::nullopt;
    }
    for (const auto* requests : {&known->second.current, &known->second.previous}) {
        if (const auto found = requests->find(id); found != requests->end()) {
            return found->second;
        }
    }
    return std::nullopt;
}

void ReplayGuard::remember(std::string_view name, RequestId id, std::uint16_t code, Instant now) {
    forget_idle(now);
    auto& user = touch(name, now);
    if (now - user.current_since >= kNonceLifetime) {
        // The previous ones are as old as a whole generation, and so their nonces have expired.
        rotate(user, now);
    }
    requests_ += user.current.insert_or_assign(id, code).second ? 1 : 0;
    const auto usual = limits_.requests_per_user;
    const auto limit = requests_ < limits_.requests ? usual : std::min(usual, limits_.few_requests);
    if (user.current.size() >= limit) {
        // Nonces have whole milliseconds, and this one may be of this very millisecond; then the previous generation,
        // kept as well, covers it.
        user.nonces_from = std::chrono::floor<std::chrono::milliseconds>(now);
        rotate(user, now);
    }
}

void ReplayGuard::rotate(User& user, Instant now) {
    requests_ -= user.previous.size();
    user.previous = std::exchange(user.current, {});
    user.current_since = now;
}

ReplayGuard::User& ReplayGuard::touch(std::string_view name, Instant now) {
    auto found = users_.find(name);
    if (found == users_.end()) {
        if (users_.size() >= limits_.users) {
            forget_oldest();
        }
        found = users_.emplace(std::string{name}, User{}).first;
        auto& user = found->second;
        user.current_since = now;
        user.nonces_from = strangers_nonces_from_;
        user.age = oldest_first_.insert(oldest_first_.end(), found->first);
    } else {
        oldest_first_.splice(oldest_first_.end(), oldest_first_, found->second.age);
    }
    found->second.last_request = now;
    return found->second;
}

/// Users whose nonces have all expired.
void ReplayGuard::forget_idle(Instant now) {
    while (!oldest_first_.empty()) {
        const auto oldest = users_.find(oldest_first_.front());
        if (now - oldest->second.last_request <= kNonceLifetime) {
            return;
        }
        forget(oldest);
    }
}

void ReplayGuard::forget(std::map<std::string, User, std::less<>>::iterator user) {
    requests_ -= user->second.current.size() + user->second.previous.size();
    oldest_first_.erase(user->second.age);
    users_.erase(user);
}

void ReplayGuard::forget_oldest() {
    const auto oldest = users_.find(oldest_first_.front());
    // Later than any nonce that it has used.
    strangers_nonces_from_ = oldest->second.last_request + std::chrono::milliseconds{1};
    forget(oldest);
}

}  // namespace culvert::turn
