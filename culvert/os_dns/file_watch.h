#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>

#include "culvert/io/file_descriptor.h"

namespace culvert::os_dns {

/// Hears when the file changes that a path stands for: by being written, replaced or removed, itself or any folder or
/// symbolic link on the way there. It need not exist. For the control thread; never blocks.
class FileWatch {
public:
    /// `path` is absolute; it and what links point to are looked up below `root`.
    [[nodiscard]] static std::expected<FileWatch, std::error_code> open(std::filesystem::path root,
                                                                        std::filesystem::path path);

    /// Readable when there is something to take().
    [[nodiscard]] int fd() const { return inotify_.get(); }
    /// Whether it has changed since the last call.
    [[nodiscard]] bool take();

private:
    struct Watched {
        std::filesystem::path place;
        /// In a folder, those that matter; the empty one is the place itself.
        std::set<std::string, std::less<>> names;
    };
    using Watches = std::map<int, Watched>;

    FileWatch(io::FileDescriptor inotify, std::filesystem::path root, std::filesystem::path path)
        : inotify_{std::move(inotify)}, root_{std::move(root)}, path_{std::move(path)} {}

    void watch_all();
    void watch_folder(Watches& watches, const std::filesystem::path& folder, const std::string& name) const;
    void watch_file(Watches& watches, const std::filesystem::path& file) const;
    [[nodiscard]] bool is_about_us(int watch, const std::string& name, unsigned mask) const;

    io::FileDescriptor inotify_;
    std::filesystem::path root_;
    std::filesystem::path path_;
    Watches watches_;
};

}  // namespace culvert::os_dns
