#include "sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace culvert::portal_server {
namespace {

using portal::StorageError;

/// How long to wait for another process that writes, unless told otherwise.
constexpr std::chrono::milliseconds kLockTimeout{2000};

std::string explain(int code, const std::string& path, const std::string& message) {
    const auto name = "database \"" + path + "\"";
    switch (code & 0xff) {
        case SQLITE_CANTOPEN:
            return "cannot open " + name + ": " + message +
                   ". Check that its folder exists and that this user may write there.";
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return name + " is read-only. Give this user write access to the file and its folder.";
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return name + " is locked by another process. Wait for that process or stop it, then try again.";
        case SQLITE_NOTADB:
            return name + " is not an SQLite database. Name another file with --database, or move this one away.";
        case SQLITE_CORRUPT:
            return name + " is damaged (" + message + "). Restore it from a backup.";
        case SQLITE_FULL:
            return "no space left for " + name + ". Free some disk space.";
        case SQLITE_IOERR:
            return "cannot read or write " + name + ": " + message + ". Check the disk.";
        default:
            return name + " failed: " + message + " (SQLite error " + std::to_string(code) + ").";
    }
}

}  // namespace

Statement::~Statement() {
    if (statement_ != nullptr) {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
}

Statement& Statement::bind(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind(std::int64_t number) {
    sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
}

Statement& Statement::bind(ByteSpan blob) {
    sqlite3_bind_blob64(statement_, ++bound_, blob.data(), blob.size(), SQLITE_TRANSIENT);
    return *this;
}

Statement& Statement::bind_null() {
    sqlite3_bind_null(statement_, ++bound_);
    return *this;
}

bool Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        database_->fail(code);
    }
    return false;
}

bool Statement::execute() {
    const int code = sqlite3_step(statement_);
    if ((code & 0xff) == SQLITE_CONSTRAINT) {
        return false;
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        database_->fail(code);
    }
    return true;
}

std::string Statement::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr ? "" : std::string{text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::string> Statement::optional_text(int column) const {
    return is_null(column) ? std::nullopt : std::optional{text(column)};
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

ByteSpan Statement::blob(int column) const {
    const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Database::Database(const std::filesystem::path& path) : path_{path} {
    if (path_ != ":memory:" && path_.has_parent_path()) {
        std::error_code error;
        std::filesystem::create_directories(path_.parent_path(), error);
        // Permission is no question of the folder if root took hold of the files in it (held_database.h).
        if (error && error != std::errc::permission_denied) {
            throw StorageError{"cannot create the folder \"" + path_.parent_path().string() + "\" for the database: " +
                               error.message() + ". Name another place with --database sqlite:PATH."};
        }
    }
    if (path_ != ":memory:") {
        // It holds the keys that tokens are signed with. SQLite's further files take over the mode of the first.
        const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (file >= 0) {
            ::close(file);
        }
    }
    sqlite3* database = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    database_.reset(database);
    if (code != SQLITE_OK) {
        fail(code);
    }
    sqlite3_extended_result_codes(database, 1);
    set_lock_timeout(kLockTimeout);
    if (sqlite3_db_readonly(database, "main") == 1) {
        throw StorageError{explain(SQLITE_READONLY, path_.string(), "")};
    }
    run("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        // There is no other place for files than the database's own.
        "PRAGMA temp_store = MEMORY");
}

Statement Database::prepare(std::string_view sql) {
    auto known = statements_.find(sql);
    if (known == statements_.end()) {
        sqlite3_stmt* statement = nullptr;
        const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                            SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (code != SQLITE_OK) {
            fail(code);
        }
        known = statements_.emplace(std::string{sql}, statement).first;
    }
    return {*this, known->second.get()};
}

void Database::run(const std::string& sql) {
    const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        fail(code);
    }
}

void Database::set_lock_timeout(std::chrono::milliseconds timeout) {
    sqlite3_busy_timeout(database_.get(), static_cast<int>(timeout.count()));
}

std::int64_t Database::changed_rows() const {
    return sqlite3_changes64(database_.get());
}

std::int64_t Database::data_version() {
    auto statement = prepare("PRAGMA data_version");
    statement.step();
    return statement.integer(0);
}

void Database::fail(int code) const {
    throw StorageError{
        explain(code, path_.string(), database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code))};
}

void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close(database);
}
void Database::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

}  // namespace culvert::portal_server
