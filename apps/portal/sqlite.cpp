#include "apps/portal/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "apps/portal/constants.h"
#include "apps/portal/held_database.h"

namespace culvert::portal_server {
namespace {

using portal::StorageError;

constexpr std::string_view kJournal = "-wal";
constexpr std::string_view kIndex = "-shm";

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

std::string reason(int error) {
    return std::generic_category().message(error);
}

/// Creates what is missing of the folder of `path`, for nobody but this user.
void prepare_folder(const std::filesystem::path& path) {
    std::filesystem::path folder;
    for (const auto& part : path.parent_path()) {
        folder /= part;
        struct stat status{};
        const bool exists = ::stat(folder.c_str(), &status) == 0;
        if (exists ? S_ISDIR(status.st_mode) : ::mkdir(folder.c_str(), S_IRWXU) == 0 || errno == EEXIST) {
            continue;
        }
        const auto error = reason(exists ? ENOTDIR : errno);
        throw StorageError{"cannot create the folder \"" + folder.string() + "\" for the database: " + error +
                           ". Create it for this user, or name another place with --database sqlite:PATH."};
    }
}

/// Creates the file if it is missing, for nobody but this user: it holds the keys that tokens are signed with. SQLite's
/// further files take over its mode. What SQLite would say of a file that cannot be used is of no help to anybody.
void prepare_file(const std::filesystem::path& path) {
    const auto name = "database \"" + path.string() + "\"";
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    const bool is_new = !std::filesystem::exists(std::filesystem::symlink_status(path));
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        switch (errno) {
            case EROFS:
                throw StorageError{name +
                                   " is read-only, because its file system is. Mount it for writing, or name "
                                   "another place with --database sqlite:PATH."};
            case EACCES:
            case EPERM:
                throw StorageError{is_new ? "cannot create " + name + " in folder \"" + folder.string() +
                                                "\": " + reason(errno) +
                                                ". Give this user write access to the folder, or name another place "
                                                "with --database sqlite:PATH."
                                          : explain(SQLITE_READONLY, path.string(), "")};
            case ENOSPC:
            case EDQUOT:
                throw StorageError{explain(SQLITE_FULL, path.string(), "")};
            case EISDIR:
                throw StorageError{"cannot open " + name +
                                   ": it is a folder. Name a file in it with --database sqlite:PATH."};
            default:
                throw StorageError{"cannot open " + name + ": " + reason(errno) +
                                   ". Name another place with --database sqlite:PATH, or mend this one."};
        }
    }
    ::close(file);
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        throw StorageError{"the folder of " + name + " cannot be written to (" + reason(errno) +
                           "), but the database keeps further files in it. Give this user write access to \"" +
                           folder.string() + "\"."};
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
    if (!is_in_memory() && !is_held_database(path_)) {
        prepare_folder(path_);
        prepare_file(path_);
    }
    sqlite3* database = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    database_.reset(database);
    if (code != SQLITE_OK) {
        fail(code);
    }
    file_ = identify(path_);
    sqlite3_extended_result_codes(database, 1);
    set_lock_timeout(kLockTimeout);
    if (sqlite3_db_readonly(database, "main") == 1) {
        throw StorageError{explain(SQLITE_READONLY, path_.string(), "")};
    }
    run("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        // There is no other place for files than the database's own.
        "PRAGMA temp_store = MEMORY");
}

std::optional<Database::FileIdentity> Database::identify(const std::filesystem::path& path) {
    struct stat status{};
    if (!stat_database_file(path, status)) {
        return std::nullopt;
    }
    return FileIdentity{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
}

std::filesystem::path Database::sibling(std::string_view suffix) const {
    return path_.string() + std::string{suffix};
}

void Database::check_file() {
    if (is_in_memory()) {
        return;
    }
    // The journal is part of the database. It appears with the first use, and stays for as long as anybody has it open.
    if (!journal_) {
        journal_ = identify(sibling(kJournal));
    }
    is_lost_ = identify(path_) != file_ || (journal_ && identify(sibling(kJournal)) != journal_);
    require_file();
}

void Database::require_file() const {
    if (is_lost_) {
        throw StorageError{
            "database \"" + path_.string() +
            "\" was deleted, moved or replaced while this program uses it, so nothing is read or written "
            "any more. Put the file and its -wal file back, or restart to use what is there now."};
    }
}

void Database::require_space() const {
    struct statvfs disk{};
    if (is_in_memory() || !statvfs_database_file(path_, disk)) {
        return;
    }
    const auto left = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    if (left < kSpaceNeeded) {
        throw StorageError{"almost no space left for database \"" + path_.string() +
                           "\": " + std::to_string(left / 1024) + " kB. Free some disk space."};
    }
}

std::vector<std::filesystem::path> Database::exposed_files() const {
    std::vector<std::filesystem::path> exposed;
    for (const auto suffix : {std::string_view{}, kJournal, kIndex}) {
        struct stat status{};
        if (!is_in_memory() && stat_database_file(sibling(suffix), status) &&
            (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
            exposed.push_back(sibling(suffix));
        }
    }
    return exposed;
}

Statement Database::prepare(std::string_view sql) {
    require_file();
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

void Database::must_execute(Statement statement) {
    if (!statement.execute()) {
        fail(SQLITE_CONSTRAINT);
    }
}

void Database::run(const std::string& sql) {
    require_file();
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
