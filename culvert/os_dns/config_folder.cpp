#include "culvert/os_dns/config_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace culvert::os_dns {
namespace {

/// Nobody has more nameservers than fit.
constexpr std::size_t kMaxSize = std::size_t{64} * 1024;
constexpr mode_t kPermissions = 07777;

std::error_code last_error() {
    return {errno, std::generic_category()};
}

}  // namespace

std::expected<ConfigFolder, std::error_code> ConfigFolder::open(const std::filesystem::path& path, Fault fault) {
    io::FileDescriptor folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) {
        return std::unexpected{last_error()};
    }
    return ConfigFolder{std::move(folder), std::move(fault)};
}

bool ConfigFolder::lock(const std::string& name) {
    // Not the folder itself: everybody may open it, so any user of the machine could have the lock, and keep us out.
    lock_ = io::FileDescriptor{::openat(folder_.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    const bool is_read_only = !lock_ && errno == EROFS;
    return ::flock(is_read_only ? folder_.get() : lock_.get(), LOCK_EX | LOCK_NB) == 0;
}

std::expected<ConfigFile, std::error_code> ConfigFolder::read(const std::string& name) const {
    // Not blocking: a pipe of that name would wait for a writer.
    const io::FileDescriptor file{
        ::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) {
        return std::unexpected{last_error()};
    }
    if (!S_ISREG(status.st_mode)) {
        return std::unexpected{std::make_error_code(std::errc::invalid_argument)};
    }
    ConfigFile found{.text = std::string(kMaxSize + 1, '\0'),
                     .mode = status.st_mode & kPermissions,
                     .uid = status.st_uid,
                     .gid = status.st_gid};
    std::size_t size = 0;
    while (size <= kMaxSize) {
        const auto count =
            ::pread(file.get(), found.text.data() + size, found.text.size() - size, static_cast<off_t>(size));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return std::unexpected{last_error()};
        }
        if (count == 0) {
            break;
        }
        size += static_cast<std::size_t>(count);
    }
    if (size > kMaxSize) {
        return std::unexpected{std::make_error_code(std::errc::file_too_large)};
    }
    found.text.resize(size);
    return found;
}

template <typename Call>
bool ConfigFolder::does(std::string_view step, Call call) const {
    if (fault_) {
        if (const int error = fault_(step); error != 0) {
            errno = error;
            return false;
        }
    }
    return call() == 0;
}

bool ConfigFolder::writes(std::string_view step, int fd, std::string_view text, std::size_t offset) const {
    return does(step, [&] {
        std::size_t written = 0;
        while (written < text.size()) {
            const auto count =
                ::pwrite(fd, text.data() + written, text.size() - written, static_cast<off_t>(offset + written));
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count <= 0) {
                return -1;
            }
            written += static_cast<std::size_t>(count);
        }
        return 0;
    });
}

bool ConfigFolder::fills(int fd, const ConfigFile& file) const {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return false;
    }
    const bool is_owned = status.st_uid == file.uid && status.st_gid == file.gid;
    return (is_owned || does("fchown", [&] { return ::fchown(fd, file.uid, file.gid); })) &&
           does("fchmod", [&] { return ::fchmod(fd, file.mode); }) && writes("write", fd, file.text, 0) &&
           does("fsync", [&] { return ::fsync(fd); });
}

std::error_code ConfigFolder::replace(const std::string& name, const ConfigFile& file) const {
    const auto new_name = "." + name + ".new";
    // A leftover of somebody who was killed.
    if (!does("unlink", [&] { return ::unlinkat(folder_.get(), new_name.c_str(), 0); }) && errno != ENOENT) {
        return last_error();
    }
    io::FileDescriptor written;
    const bool is_open = does("open", [&] {
        written = io::FileDescriptor{
            ::openat(folder_.get(), new_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
        return written ? 0 : -1;
    });
    if (!is_open) {
        return last_error();
    }
    if (!fills(written.get(), file) || !does("rename " + name, [&] {
            return ::renameat(folder_.get(), new_name.c_str(), folder_.get(), name.c_str());
        })) {
        const auto error = last_error();
        ::unlinkat(folder_.get(), new_name.c_str(), 0);
        return error;
    }
    // Without this it might be the old one again after a loss of power, and that is all.
    static_cast<void>(does("fsync folder", [&] { return ::fsync(folder_.get()); }));
    return {};
}

io::FileDescriptor ConfigFolder::open_to_write(const std::string& name) const {
    io::FileDescriptor file;
    if (!does("open in place", [&] {
            file = io::FileDescriptor{
                ::openat(folder_.get(), name.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
            return file ? 0 : -1;
        })) {
        return {};
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return {};
    }
    return file;
}

std::error_code ConfigFolder::overwrite_marked(const std::string& name, std::string_view text) const {
    const auto file = open_to_write(name);
    const auto size = static_cast<off_t>(text.size());
    // The marker comes first, and with the first page; only then may the rest of the old text go.
    const bool is_done = file && writes("write in place", file.get(), text, 0) &&
                         does("cut", [&] { return ::ftruncate(file.get(), size); }) &&
                         does("fsync in place", [&] { return ::fsync(file.get()); });
    return is_done ? std::error_code{} : last_error();
}

std::error_code ConfigFolder::overwrite_unmarked(const std::string& name, std::string_view text,
                                                 std::string_view marker) const {
    const auto file = open_to_write(name);
    const auto head = text.substr(0, marker.size());
    const auto tail = text.substr(head.size());
    // Whoever begins with the marker is known to be unfinished, so the marker goes last, in one piece.
    const bool is_done =
        file && does("cut to marker", [&] { return ::ftruncate(file.get(), static_cast<off_t>(marker.size())); }) &&
        writes("write tail", file.get(), tail, marker.size()) &&
        does("fsync tail", [&] { return ::fsync(file.get()); }) && writes("write head", file.get(), head, 0) &&
        does("cut to size", [&] { return ::ftruncate(file.get(), static_cast<off_t>(text.size())); }) &&
        does("fsync in place", [&] { return ::fsync(file.get()); });
    return is_done ? std::error_code{} : last_error();
}

std::string half_restored(std::string_view text, std::string_view marker) {
    std::string mixed{text};
    mixed += marker.substr(std::min(text.size(), marker.size()));
    return mixed;
}

}  // namespace culvert::os_dns
