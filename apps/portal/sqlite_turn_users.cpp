// The part of the storage that holds the users of relays.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {

void SqliteStorage::put(const portal::TurnUser& user) {
    // A new row each time: the newest number is the user the device is now.
    auto old = database_.prepare("DELETE FROM turn_users WHERE salt = ?");
    old.bind(user.salt);
    database_.must_execute(std::move(old));
    auto row = database_.prepare("INSERT INTO turn_users (salt, token_id, device_id, expires_at) VALUES (?, ?, ?, ?)");
    row.bind(user.salt).bind(user.token.to_string()).bind(user.device.to_string()).bind(to_integer(user.until));
    database_.must_execute(std::move(row));
    auto surplus = database_.prepare(
        "UPDATE turn_users SET is_revoked = 1 WHERE device_id = ?1 AND NOT is_revoked AND number NOT IN"
        " (SELECT number FROM turn_users WHERE device_id = ?1 AND NOT is_revoked ORDER BY number DESC LIMIT ?2)");
    surplus.bind(user.device.to_string()).bind(static_cast<std::int64_t>(portal::kTurnUsersPerDevice));
    database_.must_execute(std::move(surplus));
    // Only of a device that is there: what was revoked with a device or a token has the right to stay.
    auto forgotten = database_.prepare(
        "DELETE FROM turn_users WHERE device_id = ?1 AND is_revoked AND EXISTS (SELECT 1 FROM tokens WHERE id ="
        " turn_users.token_id) AND number NOT IN (SELECT number FROM turn_users WHERE device_id = ?1 AND is_revoked"
        " ORDER BY number DESC LIMIT ?2)");
    forgotten.bind(user.device.to_string()).bind(static_cast<std::int64_t>(portal::kFormerTurnUsersPerDevice));
    database_.must_execute(std::move(forgotten));
}

std::vector<portal::RevokedTurnUser> SqliteStorage::revoked_turn_users(UnixSeconds now) {
    auto row = database_.prepare(
        "SELECT salt, expires_at FROM turn_users WHERE is_revoked AND expires_at > ? ORDER BY number DESC");
    row.bind(to_integer(now));
    std::vector<portal::RevokedTurnUser> revoked;
    while (row.step()) {
        revoked.push_back({row.text(0), read_time(row, 1)});
    }
    return revoked;
}

void SqliteStorage::erase_expired_turn_users(UnixSeconds now) {
    auto statement = database_.prepare("DELETE FROM turn_users WHERE expires_at <= ?");
    statement.bind(to_integer(now));
    database_.must_execute(std::move(statement));
}

}  // namespace culvert::portal_server
