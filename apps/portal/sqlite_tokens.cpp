// The part of the storage that holds tokens.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {

void SqliteStorage::put(const portal::Token& token) {
    auto statement = database_.prepare(
        "INSERT INTO tokens (id, type, account_id, actor_id, site_id, secret_salt, secret_hash, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET type = excluded.type,"
        " account_id = excluded.account_id, actor_id = excluded.actor_id, site_id = excluded.site_id,"
        " secret_salt = excluded.secret_salt, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at");
    statement.bind(token.id.to_string())
        .bind(portal::to_string(token.type))
        .bind(to_text(token.account))
        .bind(to_text(token.actor))
        .bind(to_text(token.site))
        .bind(token.secret_salt)
        .bind(token.secret_hash);
    token.expires_at ? statement.bind(to_integer(*token.expires_at)) : statement.bind_null();
    database_.must_execute(std::move(statement));
}

std::optional<portal::Token> SqliteStorage::find_token(const portal::TokenId& id) {
    auto row = database_.prepare(
        "SELECT id, type, account_id, actor_id, site_id, secret_salt, secret_hash, expires_at FROM tokens WHERE id = "
        "?");
    row.bind(id.to_string());
    if (!row.step()) {
        return std::nullopt;
    }
    return portal::Token{.id = id,
                         .type = read_token_type(row, 1),
                         .account = read_optional_id<AccountId>(row, 2),
                         .actor = read_optional_id<portal::ActorId>(row, 3),
                         .site = read_optional_id<SiteId>(row, 4),
                         .secret_salt = row.text(5),
                         .secret_hash = row.text(6),
                         .expires_at = read_optional_time(row, 7)};
}

void SqliteStorage::record_use(const portal::TokenId& id, const portal::LastSeen& last_seen) {
    auto statement = database_.prepare(
        "UPDATE tokens SET last_seen_user_agent = ?, last_seen_remote_ip = ?, last_seen_at = ? WHERE id = ?");
    statement.bind(last_seen.user_agent)
        .bind(last_seen.remote_ip.to_string())
        .bind(to_integer(last_seen.at))
        .bind(id.to_string());
    database_.must_execute(std::move(statement));
}

bool SqliteStorage::erase(const portal::TokenId& id) {
    erase_row("DELETE FROM tokens WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}

void SqliteStorage::erase_expired_tokens(UnixSeconds now) {
    auto statement = database_.prepare("DELETE FROM tokens WHERE expires_at <= ?");
    statement.bind(to_integer(now));
    database_.must_execute(std::move(statement));
}

}  // namespace culvert::portal_server
