#include "culvert/os_dns/file_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <utility>

namespace culvert::os_dns {
namespace {

/// As many as the kernel follows (path_resolution(7)).
constexpr int kMaxLinks = 40;
constexpr std::uint32_t kOfFolders =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/// A file in two places, as with bind mounts, is written in another folder.
constexpr std::uint32_t kOfFiles = IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF;

/// Puts the parts of a path in front of others.
void prepend(std::deque<std::string>& parts, const std::filesystem::path& path) {
    std::deque<std::string> all;
    for (const auto& part : path.relative_path()) {
        all.push_back(part.string());
    }
    parts.insert(parts.begin(), all.begin(), all.end());
}

}  // namespace

std::expected<FileWatch, std::error_code> FileWatch::open(std::filesystem::path root, std::filesystem::path path) {
    io::FileDescriptor inotify{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (!inotify) {
        return std::unexpected{std::error_code{errno, std::generic_category()}};
    }
    FileWatch watch{std::move(inotify), std::move(root), std::move(path)};
    watch.watch_all();
    return watch;
}

bool FileWatch::take() {
    alignas(inotify_event) std::array<char, 4096> buffer;
    bool is_changed = false;
    for (;;) {
        const auto size = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            break;
        }
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* const name = event.len > 0 ? buffer.data() + at + sizeof event : "";
            is_changed = is_changed || is_about_us(event.wd, name, event.mask);
            at += sizeof event + event.len;
        }
    }
    if (is_changed) {
        watch_all();
    }
    return is_changed;
}

bool FileWatch::is_about_us(int watch, const std::string& name, unsigned mask) const {
    if ((mask & IN_Q_OVERFLOW) != 0) {
        return true;
    }
    const auto found = watches_.find(watch);
    if (found == watches_.end() || !found->second.names.contains(name)) {
        return false;
    }
    // A file that was just created is still empty, and whoever did so closes it.
    struct stat status{};
    const auto place = found->second.place / name;
    const bool is_created_file = (mask & IN_CREATE) != 0 && ::lstat(place.c_str(), &status) == 0 &&
                                 S_ISREG(status.st_mode) && status.st_nlink == 1;
    return !is_created_file;
}

/// Walks as the kernel does. Each watch is set before the name is looked up, so that no change falls in between.
void FileWatch::watch_all() {
    Watches watches;
    std::deque<std::string> parts;
    prepend(parts, path_);
    auto folder = root_;
    int links = 0;
    while (!parts.empty()) {
        const auto part = std::move(parts.front());
        parts.pop_front();
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            folder = folder == root_ ? root_ : folder.parent_path();
            continue;
        }
        watch_folder(watches, folder, part);
        const auto place = folder / part;
        struct stat status{};
        if (::lstat(place.c_str(), &status) != 0) {
            break;
        }
        if (S_ISLNK(status.st_mode)) {
            std::error_code error;
            const auto target = std::filesystem::read_symlink(place, error);
            if (error || ++links > kMaxLinks) {
                break;
            }
            folder = target.is_absolute() ? root_ : folder;
            prepend(parts, target);
        } else if (S_ISDIR(status.st_mode)) {
            folder = place;
        } else {
            watch_file(watches, place);
            break;
        }
    }
    for (const auto& [watch, names] : watches_) {
        if (!watches.contains(watch)) {
            ::inotify_rm_watch(inotify_.get(), watch);
        }
    }
    watches_ = std::move(watches);
}

void FileWatch::watch_folder(Watches& watches, const std::filesystem::path& folder, const std::string& name) const {
    if (const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kOfFolders); watch >= 0) {
        watches[watch].place = folder;
        watches[watch].names.insert({name, std::string{}});
    }
}

void FileWatch::watch_file(Watches& watches, const std::filesystem::path& file) const {
    if (const int watch = ::inotify_add_watch(inotify_.get(), file.c_str(), kOfFiles); watch >= 0) {
        watches[watch].place = file;
        watches[watch].names.insert(std::string{});
    }
}

}  // namespace culvert::os_dns
