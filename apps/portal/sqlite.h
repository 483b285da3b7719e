#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/portal/storage.h"

struct sqlite3;
struct sqlite3_stmt;

/// The SQLite C API with ownership. Failures are thrown as portal::StorageError with a sentence that says what to do.
namespace culvert::portal_server {

class Database;

/// A prepared statement in use. Goes back to the database's cache when it is destroyed.
class Statement {
public:
    Statement(Database& database, sqlite3_stmt* statement) : database_{&database}, statement_{statement} {}
    ~Statement();
    Statement(Statement&& other) noexcept
        : database_{other.database_}, statement_{std::exchange(other.statement_, nullptr)}, bound_{other.bound_} {}
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    // Parameters, in the order of the question marks.
    Statement& bind(std::string_view text);
    Statement& bind(std::int64_t number);
    Statement& bind(ByteSpan blob);
    Statement& bind_null();
    template <typename T>
    Statement& bind(const std::optional<T>& value) {
        return value ? bind(*value) : bind_null();
    }

    /// Whether there is a row (another row).
    bool step();
    /// For statements without rows. False if a foreign key or a unique index forbids it.
    bool execute();

    // Columns of the current row, from 0.
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::optional<std::string> optional_text(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] ByteSpan blob(int column) const;

private:
    Database* database_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
};

class Database {
public:
    /// Creates the file and its folder, for the owner's eyes only, if they are missing. ":memory:" is a database of its
    /// own.
    explicit Database(const std::filesystem::path& path);

    /// How long a statement waits for another process that writes before it fails; 2 s at first. Only writing waits:
    /// the journal lets readers read.
    void set_lock_timeout(std::chrono::milliseconds timeout);

    /// Statements are kept and reused: `sql` must not have values in it.
    [[nodiscard]] Statement prepare(std::string_view sql);
    /// Executes a statement whose constraints hold by construction.
    void must_execute(Statement statement);
    /// Any number of statements without parameters and results.
    void run(const std::string& sql);
    /// Rows the last statement inserted, changed or deleted, those of triggers and cascades not included.
    [[nodiscard]] std::int64_t changed_rows() const;

    /// Throws StorageError if the file at the database's path is no longer the one that this connection writes to; what
    /// is asked of the database from then on fails as well, until the file is back. Cheap: a few look-ups of names.
    void check_file();

    /// Throws StorageError if the disk is so full that the next writes may fail.
    void require_space() const;

    /// The database and its siblings that users other than the owner may read or write.
    [[nodiscard]] std::vector<std::filesystem::path> exposed_files() const;

    /// Changes whenever another connection commits.
    [[nodiscard]] std::int64_t data_version();

    /// Throws what the last failure means for a person.
    [[noreturn]] void fail(int code) const;

private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };

    /// A file under whatever name.
    struct FileIdentity {
        std::uint64_t device = 0;
        std::uint64_t number = 0;

        friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
    };
    [[nodiscard]] static std::optional<FileIdentity> identify(const std::filesystem::path& path);
    [[nodiscard]] std::filesystem::path sibling(std::string_view suffix) const;
    [[nodiscard]] bool is_in_memory() const { return path_ == ":memory:"; }
    void require_file() const;

    std::filesystem::path path_;
    bool is_lost_ = false;
    std::optional<FileIdentity> file_;
    std::optional<FileIdentity> journal_;
    std::unique_ptr<sqlite3, Close> database_;
    std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

}  // namespace culvert::portal_server
