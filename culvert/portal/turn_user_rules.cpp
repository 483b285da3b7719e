#include "culvert/portal/turn_user_rules.h"

#include <algorithm>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/turn/server/constants.h"

namespace culvert::portal {
namespace {

constexpr log::Logger kLog{"portal"};

std::vector<portal_api::TurnUserRule> to_rules(const std::map<std::string, UnixSeconds>& users) {
    std::vector<portal_api::TurnUserRule> rules;
    for (const auto& [salt, until] : users) {
        rules.push_back({salt, until});
    }
    return rules;
}

}  // namespace

void TurnUserRules::relay_joined(SessionId session) {
    relays_.insert(session);
    push(session, to_rules(revoked_), to_rules(extended_));
}

void TurnUserRules::set_revoked(std::vector<RevokedTurnUser> revoked, UnixSeconds now) {
    if (revoked.size() > turn::kMaxUserRules) {
        // Not by how long they would last: those of a gateway that went years ago outlast everybody's.
        kLog.warn("More credentials for relays are revoked than relays can remember; the oldest are left out",
                  log::field("revoked", revoked.size()), log::field("told", turn::kMaxUserRules));
        revoked.resize(turn::kMaxUserRules);
    }
    std::map<std::string, UnixSeconds> current;
    for (auto& user : revoked) {
        current.emplace(std::move(user.salt), user.until);
    }
    std::erase_if(extended_, [&](const auto& user) { return user.second <= now || current.contains(user.first); });

    Rules added;
    for (const auto& [salt, until] : current) {
        const auto known = revoked_.find(salt);
        if (known == revoked_.end() || known->second != until) {
            added.push_back({salt, until});
        }
    }
    Rules lifted;
    for (const auto& [salt, until] : revoked_) {
        if (!current.contains(salt) && until > now) {
            lifted.push_back({salt, until});
        }
    }
    revoked_ = std::move(current);
    push_to_all(added, lifted);
}

void TurnUserRules::extend(const std::string& salt, UnixSeconds until) {
    if (revoked_.contains(salt)) {
        return;
    }
    extended_[salt] = until;
    push_to_all({}, {{salt, until}});
}

std::optional<TurnUserRules::Push> TurnUserRules::poll_push() {
    if (pushes_.empty()) {
        return std::nullopt;
    }
    auto next = std::move(pushes_.front());
    pushes_.pop_front();
    return next;
}

void TurnUserRules::push(SessionId session, const Rules& revoked, const Rules& extended) {
    for (std::size_t i = 0; i < revoked.size() || i < extended.size(); i += kMaxTurnUserRules) {
        const auto part = [&](const Rules& rules) {
            const auto begin = std::min(i, rules.size());
            const auto end = std::min(i + kMaxTurnUserRules, rules.size());
            return Rules{rules.begin() + static_cast<std::ptrdiff_t>(begin),
                         rules.begin() + static_cast<std::ptrdiff_t>(end)};
        };
        pushes_.push_back({session, {.revoked = part(revoked), .extended = part(extended)}});
    }
}

void TurnUserRules::push_to_all(const Rules& revoked, const Rules& extended) {
    for (const auto session : relays_) {
        push(session, revoked, extended);
    }
}

}  // namespace culvert::portal
