#include "culvert/turn/server/user_rules.h"

#include "culvert/observability/log.h"

namespace culvert::turn {
namespace {

constexpr log::Logger kLog{"relay"};

}  // namespace

void UserRules::erase(Table& table, std::string_view user) {
    if (const auto found = table.words.find(user); found != table.words.end()) {
        table.ends.erase({found->second, found->first});
        table.words.erase(found);
    }
}

void UserRules::extend(std::string_view user, WallTime until) {
    erase(revoked_, user);
    if (!put(extended_, user, until)) {
        kLog.debug("Forgot an extension of credentials for a newer one", log::field("kept", extended_.words.size()));
    }
}

void UserRules::revoke(std::string_view user, WallTime until) {
    erase(extended_, user);
    if (!put(revoked_, user, until)) {
        kLog.warn("Forgot a revoked user for a newer one", log::field("kept", revoked_.words.size()));
    }
}

bool UserRules::put(Table& table, std::string_view user, WallTime until) {
    erase(table, user);
    const bool has_room = table.words.size() < capacity_;
    if (!has_room) {
        // Ended words are not swept by a timer: they end first, so they go first.
        table.words.erase(table.ends.begin()->second);
        table.ends.erase(table.ends.begin());
    }
    table.words.emplace(user, until);
    table.ends.emplace(until, user);
    return has_room;
}

}  // namespace culvert::turn
