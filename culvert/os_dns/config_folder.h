#pragma once

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>

#include "culvert/io/file_descriptor.h"

namespace culvert::os_dns {

/// For tests: called by name before each system call that changes something. What it returns is the error number that
/// the call ends with, 0 lets it happen; or it kills the process.
using Fault = std::function<int(std::string_view step)>;

/// A file, with who may do what with it.
struct ConfigFile {
    std::string text;
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;

    friend bool operator==(const ConfigFile&, const ConfigFile&) = default;
};

/// A folder with configuration files that must survive whatever happens while they are written. Symbolic links are
/// never followed.
class ConfigFolder {
public:
    [[nodiscard]] static std::expected<ConfigFolder, std::error_code> open(const std::filesystem::path& path,
                                                                           Fault fault = {});

    /// Nobody else who asks has it until this object goes; false if somebody has it already. Leaves an empty file of
    /// that name, which nobody else may open.
    [[nodiscard]] bool lock(const std::string& name);

    /// Errors: ENOENT; ELOOP for a symbolic link; EINVAL for what is no file otherwise; EFBIG; ...
    [[nodiscard]] std::expected<ConfigFile, std::error_code> read(const std::string& name) const;

    /// At any time the name stands for the whole old file or the whole new one. EBUSY if it is a mount point, EPERM if
    /// the file may not be given to its owner.
    [[nodiscard]] std::error_code replace(const std::string& name, const ConfigFile& file) const;

    /// Writes into the file that is there, which is all that can be done with a mount point. `text` begins with
    /// `marker`. At any time the file is the old one, or begins with `marker`.
    [[nodiscard]] std::error_code overwrite_marked(const std::string& name, std::string_view text) const;

    /// The way back: at any time the file begins with `marker`, or is `text`, or is half_restored(text, marker).
    [[nodiscard]] std::error_code overwrite_unmarked(const std::string& name, std::string_view text,
                                                     std::string_view marker) const;

private:
    ConfigFolder(io::FileDescriptor folder, Fault fault) : folder_{std::move(folder)}, fault_{std::move(fault)} {}

    template <typename Call>
    [[nodiscard]] bool does(std::string_view step, Call call) const;
    [[nodiscard]] bool writes(std::string_view step, int fd, std::string_view text, std::size_t offset) const;
    [[nodiscard]] bool fills(int fd, const ConfigFile& file) const;
    [[nodiscard]] io::FileDescriptor open_to_write(const std::string& name) const;

    io::FileDescriptor folder_;
    io::FileDescriptor lock_;
    Fault fault_;
};

/// A short file over a longer marker, before it is cut to size.
[[nodiscard]] std::string half_restored(std::string_view text, std::string_view marker);

}  // namespace culvert::os_dns
