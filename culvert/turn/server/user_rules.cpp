#include "culvert/turn/server/user_rules.h"

#include "culvert/observability/log.h"

namespace culvert::turn {
namespace {

constexpr log::Logger kLog{"relay"};

}  // namespace

void UserRules::erase(Table& table, std::string_view user) {
    if (const auto found = table.rules.find(user); found != table.rules.end()) {
        table.ends.erase({found->second, found->first});
        table.rules.erase(found);
    }
}

void UserRules::extend(std::string_view user, WallTime until) {
    erase(revoked_, user);
    if (!put(extended_, user, until)) {
        kLog.debug("Forgot an extension of credentials for a newer one", log::field("kept", extended_.rules.size()));
    }
}

void UserRules::revoke(std::string_view user, WallTime until) {
    erase(extended_, user);
    if (!put(revoked_, user, until)) {
        kLog.warn("Forgot a revoked user for a newer one", log::field("kept", revoked_.rules.size()));
    }
}

bool UserRules::put(Table& table, std::string_view user, WallTime until) {
    erase(table, user);
    const bool has_room = table.rules.size() < capacity_;
    if (!has_room) {
        // Ended rules are not swept by a timer: they end first, so they go first.
        table.rules.erase(table.ends.begin()->second);
        table.ends.erase(table.ends.begin());
    }
    table.rules.emplace(user, until);
    table.ends.emplace(until, user);
    return has_room;
}

}  // namespace culvert::turn
