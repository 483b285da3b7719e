#include "culvert/turn/server/user_rules.h"

#include <algorithm>

#include "culvert/observability/log.h"

namespace culvert::turn {
namespace {

constexpr log::Logger kLog{"relay"};

void erase(auto& table, std::string_view user) {
    if (const auto found = table.find(user); found != table.end()) {
        table.erase(found);
    }
}

}  // namespace

void UserRules::extend(std::string_view user, WallTime until) {
    erase(revoked_, user);
    if (!put(extended_, user, until)) {
        kLog.debug("Forgot an extension of credentials for a newer one", log::field("kept", extended_.size()));
    }
}

void UserRules::revoke(std::string_view user, WallTime until) {
    erase(extended_, user);
    if (!put(revoked_, user, until)) {
        kLog.warn("Forgot a revoked user for a newer one", log::field("kept", revoked_.size()));
    }
}

bool UserRules::put(Table& table, std::string_view user, WallTime until) {
    if (const auto known = table.find(user); known != table.end()) {
        known->second = until;
        return true;
    }
    const bool has_room = table.size() < capacity_;
    if (!has_room) {
        // Ended words are not swept by a timer: they end first, so they go first.
        table.erase(std::ranges::min_element(table, {}, &Table::value_type::second));
    }
    table.emplace(user, until);
    return has_room;
}

}  // namespace culvert::turn
