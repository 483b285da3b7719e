#include "apps/portal/sqlite_storage.h"

#include "apps/portal/schema.h"
#include "apps/portal/sqlite_row.h"

namespace culvert::portal_server {

using portal::StorageError;

SqliteStorage::SqliteStorage(const std::filesystem::path& path, Rng& rng)
    : path_{path.string()}, database_{path}, addresses_{database_} {
    migrate(database_, path_, rng);
    auto row = database_.prepare("SELECT id FROM accounts ORDER BY inserted_at, id LIMIT 1");
    if (!row.step()) {
        throw StorageError{"database \"" + path_ + "\" has no account; restore a backup"};
    }
    account_id_ = row.text(0);
}

void SqliteStorage::in_transaction(const std::function<void()>& work) {
    database_.check_file();
    database_.run("BEGIN IMMEDIATE");
    try {
        work();
        database_.run("COMMIT");
    } catch (...) {
        addresses_.reload();
        try {
            database_.run("ROLLBACK");
        } catch (const StorageError&) {
            // SQLite has rolled back by itself after some failures; the first failure is the one to report.
        }
        throw;
    }
}

portal::TokenKeys SqliteStorage::token_keys() {
    const auto read = [&](std::string_view name) {
        auto row = database_.prepare("SELECT value FROM secrets WHERE name = ?");
        row.bind(name);
        if (!row.step()) {
            throw StorageError{"database \"" + path_ + "\" lacks its token keys; restore a backup"};
        }
        return row.text(0);
    };
    return {read("tokens_key_base"), read("tokens_salt")};
}

void SqliteStorage::erase_row(std::string_view sql, const Uuid& id) {
    auto statement = database_.prepare(sql);
    statement.bind(id.to_string());
    database_.must_execute(std::move(statement));
}

bool SqliteStorage::revoke_row(std::string_view sql, const Uuid& id, UnixSeconds now) {
    auto statement = database_.prepare(sql);
    statement.bind(to_integer(now)).bind(id.to_string());
    database_.must_execute(std::move(statement));
    return database_.changed_rows() > 0;
}

bool SqliteStorage::has_row(std::string_view sql, const Uuid& id) {
    auto row = database_.prepare(sql);
    row.bind(id.to_string());
    return row.step();
}

}  // namespace culvert::portal_server
