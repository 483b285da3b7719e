#include "apps/portal/held_database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace culvert::portal_server {
namespace {

namespace fs = std::filesystem;

/// What SQLite puts beside a database, after the database itself.
constexpr std::array<std::string_view, 4> kSuffixes = {"", "-wal", "-shm", "-journal"};
constexpr std::string_view kSharedMemory = "-shm";

/// What the functions below know, which SQLite calls without any context.
struct Held {
    std::string path;
    std::array<io::FileDescriptor, kSuffixes.size()> files;
};
std::unique_ptr<Held> held;

/// Which of the files that name means; -1 for others.
int slot_of(const char* name) {
    const std::string_view text{name};
    if (!text.starts_with(held->path)) {
        return -1;
    }
    for (std::size_t i = 0; i < kSuffixes.size(); ++i) {
        if (text.substr(held->path.size()) == kSuffixes[i]) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

int file_of(int slot) {
    return held->files[static_cast<std::size_t>(slot)].get();
}

std::string link_to(int slot) {
    return "/proc/self/fd/" + std::to_string(file_of(slot));
}

/// Whether the file still has the name by which it was found; the kernel knows where it went.
bool is_in_place(int slot, const fs::path& path) {
    std::error_code error;
    return fs::read_symlink(link_to(slot), error) == path;
}

int reopen(int slot, int flags) {
    struct stat status{};
    // Another program was the last to close the database and has removed this file since: writing there would be lost.
    if (::fstat(file_of(slot), &status) != 0 || status.st_nlink == 0) {
        errno = ENOENT;
        return -1;
    }
    return ::open(link_to(slot).c_str(), flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
}

int held_open(const char* name, int flags, int mode) {
    const int slot = slot_of(name);
    return slot < 0 ? ::open(name, flags, mode) : reopen(slot, flags);
}

int held_stat(const char* name, struct stat* status) {
    const int slot = slot_of(name);
    return slot < 0 ? ::stat(name, status) : ::fstat(file_of(slot), status);
}

/// For resolving symbolic links, of which there are none in the name any more.
int held_lstat(const char* /*name*/, struct stat* /*status*/) {
    errno = ENOENT;
    return -1;
}

int held_access(const char* name, int mode) {
    return slot_of(name) < 0 ? ::access(name, mode) : 0;
}

/// To SQLite an empty journal is as good as none.
int held_unlink(const char* name) {
    const int slot = slot_of(name);
    if (slot < 0) {
        return ::unlink(name);
    }
    if (kSuffixes[static_cast<std::size_t>(slot)] == kSharedMemory) {
        return 0;  // SQLite itself empties it for the first that opens the database
    }
    const io::FileDescriptor file{reopen(slot, O_WRONLY | O_CLOEXEC)};
    return file ? ::ftruncate(file.get(), 0) : -1;
}

bool lead_sqlite() {
    auto* const system = sqlite3_vfs_find(nullptr);
    const auto set = [&](const char* call, auto* function) {
        return system->xSetSystemCall(system, call, reinterpret_cast<sqlite3_syscall_ptr>(function)) == SQLITE_OK;
    };
    return set("open", &held_open) && set("stat", &held_stat) && set("lstat", &held_lstat) &&
           set("access", &held_access) && set("unlink", &held_unlink);
}

std::string because_of_errno() {
    return std::string{": "} + std::strerror(errno) + ".";
}

/// Of the file that the name stands for now, which is created if there is none. A symbolic link is root's or refused.
std::expected<io::FileDescriptor, std::string> take_hold(int folder, const std::string& name,
                                                         const sandbox::Identity& identity) {
    const auto wrong = [&](const std::string& what) { return std::unexpected{"\"" + name + "\" " + what}; };
    io::FileDescriptor file{::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    if (!file && errno == ENOENT) {
        // It holds the keys that tokens are signed with.
        const io::FileDescriptor created{
            ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)};
        if (!created && errno != EEXIST) {
            return wrong("cannot be created" + because_of_errno() + " Name another place with --database sqlite:PATH.");
        }
        file = io::FileDescriptor{::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    }
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) {
        return wrong("cannot be opened" + because_of_errno());
    }
    if (S_ISDIR(status.st_mode)) {
        return wrong("cannot be opened: it is a folder. Name a file in it with --database sqlite:PATH.");
    }
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
        return wrong("is no ordinary file, or has several names. Move it away or name another with --database.");
    }
    if (status.st_uid != 0 && status.st_uid != identity.uid) {
        return wrong("belongs to " + sandbox::identity_of(status.st_uid).name + ", not to " + identity.name +
                     ". Run: chown " + identity.name + " FILE, or choose its owner with --user.");
    }
    if ((status.st_uid != identity.uid || status.st_gid != identity.gid) &&
        ::fchownat(file.get(), "", identity.uid, identity.gid, AT_EMPTY_PATH) != 0) {
        return wrong("cannot be made " + identity.name + "'s" + because_of_errno());
    }
    return file;
}

}  // namespace

bool is_held_database(const fs::path& path) {
    return held && held->path == path.string();
}

bool stat_database_file(const fs::path& path, struct stat& status) {
    if (::stat(path.c_str(), &status) == 0) {
        return true;
    }
    const int slot = errno == EACCES && held ? slot_of(path.c_str()) : -1;
    return slot >= 0 && is_in_place(slot, path) && ::fstat(file_of(slot), &status) == 0;
}

bool statvfs_database_file(const fs::path& path, struct statvfs& disk) {
    if (::statvfs(path.c_str(), &disk) == 0) {
        return true;
    }
    const int slot = errno == EACCES && held ? slot_of(path.c_str()) : -1;
    return slot >= 0 && ::fstatvfs(file_of(slot), &disk) == 0;
}

std::optional<uid_t> owner_of_database(const fs::path& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && status.st_uid != 0 ? std::optional{status.st_uid} : std::nullopt;
}

std::expected<HeldDatabase, std::string> hold_database(const fs::path& path, const sandbox::Identity& identity) {
    const auto failed = [&](const std::string& what) {
        return std::unexpected{"database \"" + path.string() + "\": " + what};
    };
    std::error_code error;
    auto whole = fs::absolute(path, error);
    if (fs::create_directories(whole.parent_path(), error); error) {
        return failed("its folder cannot be created: " + error.message() +
                      ". Name another place with --database sqlite:PATH, or mend this one.");
    }
    struct stat link{};
    // Only root can have put this one there, so it leads where root wants.
    if (::lstat(whole.c_str(), &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid == 0) {
        whole = fs::canonical(whole, error);
    }
    const auto parent = fs::canonical(whole.parent_path(), error);
    if (error) {
        return failed("its folder cannot be entered: " + error.message() +
                      ". Name another place with --database sqlite:PATH.");
    }
    const io::FileDescriptor folder{::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) {
        return failed("its folder cannot be opened" + because_of_errno() +
                      " Name another place with --database sqlite:PATH.");
    }

    auto known = std::make_unique<Held>(Held{(parent / whole.filename()).string(), {}});
    for (std::size_t i = 0; i < kSuffixes.size(); ++i) {
        auto file = take_hold(folder.get(), whole.filename().string() + std::string{kSuffixes[i]}, identity);
        if (!file) {
            return failed(file.error());
        }
        known->files[i] = *std::move(file);
    }
    held = std::move(known);
    if (!lead_sqlite()) {
        return failed("this SQLite cannot be led to files that are open.");
    }
    return HeldDatabase{held->path, held->files};
}

}  // namespace culvert::portal_server
