#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <expected>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "culvert/io/file_descriptor.h"
#include "culvert/sandbox/identity.h"

namespace culvert::portal_server {

/// A database whose files root has taken hold of for the user that the portal becomes.
///
/// The database may stand where that user has no business: in a folder that only root can enter, and that must not be
/// handed over because of other things in it. So root opens the file and those that SQLite puts beside it, creates the
/// missing ones, makes them the user's, and SQLite is led to them: by its own system call table, without touching the
/// folder again. Programs that use the database the usual way may do so at the same time.
struct HeldDatabase {
    /// Absolute, without symbolic links: the name by which to open it.
    std::filesystem::path path;
    /// All that the process needs of the file system for it; opened with O_PATH, and never closed.
    std::span<const io::FileDescriptor> files;
};

/// Requires root. From then on SQLite finds this database under its path whoever the process is. A process holds one:
/// another takes its place, for which no connection to the first may be left. The error is for a person.
[[nodiscard]] std::expected<HeldDatabase, std::string> hold_database(const std::filesystem::path& path,
                                                                     const sandbox::Identity& identity);

/// Whether hold_database() took hold of this one, so that its files exist and are opened wherever they stand.
[[nodiscard]] bool is_held_database(const std::filesystem::path& path);

/// As stat() and statvfs(), also of a held file in a folder that the process must not look into. A held file that has
/// no name any more does not exist.
[[nodiscard]] bool stat_database_file(const std::filesystem::path& path, struct stat& status);
[[nodiscard]] bool statvfs_database_file(const std::filesystem::path& path, struct statvfs& disk);

/// Who the database belongs to; nullopt if there is none, or it is root's.
[[nodiscard]] std::optional<uid_t> owner_of_database(const std::filesystem::path& path);

}  // namespace culvert::portal_server
