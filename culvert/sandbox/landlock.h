#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "culvert/io/file_descriptor.h"

namespace culvert::sandbox {

/// What of the file system and of TCP a thread, and those it starts, may still use: a Landlock ruleset. All else is
/// refused with EACCES, also to root. What is open already stays usable.
///
/// Landlock is a part of Linux since 5.13; TCP ports count from 6.7 on, and from 6.12 on nobody outside can be sent a
/// signal either. Files are not told apart by name but as what stood under the name when the rule was made, so give the
/// folder of what may be replaced.
class Landlock {
public:
    enum class Result { kEnforced, kUnsupported };

    /// Reading a file, or all that is beneath a folder. Nothing happens if the path does not exist.
    Landlock& read(const std::filesystem::path& path);
    /// Reading and writing what exists: a file, or all files beneath a folder.
    Landlock& write(const std::filesystem::path& path);
    /// Also creating, renaming and removing files beneath a folder.
    Landlock& manage(const std::filesystem::path& folder);
    /// And folders beneath it.
    Landlock& manage_tree(const std::filesystem::path& folder);
    /// Reading and writing one file. Any descriptor will do, also one of O_PATH.
    Landlock& write(const io::FileDescriptor& file);

    Landlock& listen(std::uint16_t tcp_port);
    Landlock& connect(std::uint16_t tcp_port);
    /// To any port.
    Landlock& connect_anywhere();

    /// For the calling thread and those it starts from now on. Requires no_new_privs (drop_privileges()). Once only.
    [[nodiscard]] std::expected<Result, std::string> enforce();

private:
    struct PathRule {
        io::FileDescriptor place;
        std::uint64_t access;
    };
    struct PortRule {
        std::uint16_t port;
        std::uint64_t access;
    };

    Landlock& add(const std::filesystem::path& path, std::uint64_t access);
    [[nodiscard]] bool add_rules(int ruleset, std::uint64_t handled_files, bool handles_ports) const;

    std::vector<PathRule> paths_;
    std::vector<PortRule> ports_;
    bool may_connect_anywhere_ = false;
};

}  // namespace culvert::sandbox
