#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "culvert/base/time.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {

/// What the portal said about single users after it gave them their credentials.
///
/// A user is the salt of the user name: the expiry in front of it changes with every renewal, the salt never does. The
/// newest rule about a user counts, so an extension lifts an earlier revocation and the other way round. Rules end by
/// the wall clock, like the credentials they are about.
class UserRules {
public:
    explicit UserRules(std::size_t capacity = kMaxUserRules) : capacity_{capacity} {}

    /// User names of this user count until then, even if their own expiry is earlier. A full table drops the extension
    /// that ends first: that user needs newer credentials earlier.
    void extend(std::string_view user, WallTime until);

    /// No user name of this user counts until then. A full table drops the revocation that ends first, and says so.
    void revoke(std::string_view user, WallTime until);

    [[nodiscard]] bool is_revoked(std::string_view user, WallTime now) const { return covers(revoked_, user, now); }
    [[nodiscard]] bool is_extended(std::string_view user, WallTime now) const { return covers(extended_, user, now); }

    [[nodiscard]] std::size_t size() const { return extended_.rules.size() + revoked_.rules.size(); }

private:
    struct Table {
        std::map<std::string, WallTime, std::less<>> rules;
        /// What ends first comes first: a full table must not be searched for every rule, while data waits.
        std::set<std::pair<WallTime, std::string>> ends;
    };

    [[nodiscard]] static bool covers(const Table& table, std::string_view user, WallTime now) {
        const auto found = table.rules.find(user);
        return found != table.rules.end() && now <= found->second;
    }
    static void erase(Table& table, std::string_view user);
    /// False if another rule had to go for this one.
    [[nodiscard]] bool put(Table& table, std::string_view user, WallTime until);

    std::size_t capacity_;  ///< of each table
    Table extended_;
    Table revoked_;
};

}  // namespace culvert::turn
