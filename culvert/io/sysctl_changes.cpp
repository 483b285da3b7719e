#include "culvert/io/sysctl_changes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

std::optional<std::string> read_value(int fd) {
    std::array<char, 256> buffer;
    const auto length = ::pread(fd, buffer.data(), buffer.size(), 0);
    if (length < 0) {
        return std::nullopt;
    }
    const std::string_view text{buffer.data(), static_cast<std::size_t>(length)};
    return std::string{text.substr(0, text.find('\n'))};
}

bool write_value(int fd, const std::string& value) {
    return ::pwrite(fd, value.data(), value.size(), 0) == static_cast<ssize_t>(value.size());
}

std::string path_of(const std::string& name) {
    return "/proc/sys/" + name;
}

/// Where /proc/sys is read-only a value that is right already is enough.
FileDescriptor open_setting(const std::string& name) {
    FileDescriptor file{::open(path_of(name).c_str(), O_RDWR | O_CLOEXEC)};
    return file ? std::move(file) : FileDescriptor{::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC)};
}

}  // namespace

std::string to_text(const SysctlChange& change) {
    return change.name + '=' + change.before + '=' + change.ours;
}

std::optional<SysctlChange> parse_change(std::string_view text) {
    const auto second = text.rfind('=');
    if (second == std::string_view::npos || second == 0) {
        return std::nullopt;
    }
    const auto first = text.rfind('=', second - 1);
    // A name must be of a setting that we change, whoever wrote the text: a confined gateway keeps the file open, and
    // the next one reads it as root.
    const auto name = text.substr(0, first == std::string_view::npos ? 0 : first);
    const bool is_ours =
        name == "net/ipv4/ip_forward" || ((name.starts_with("net/ipv4/conf/") || name.starts_with("net/ipv6/conf/")) &&
                                          (name.ends_with("/forwarding") || name.ends_with("/accept_ra") ||
                                           name.ends_with("/accept_redirects") || name.ends_with("/src_valid_mark")));
    if (!is_ours || name.find("..") != std::string_view::npos) {
        return std::nullopt;
    }
    return SysctlChange{.name = std::string{text.substr(0, first)},
                        .before = std::string{text.substr(first + 1, second - first - 1)},
                        .ours = std::string{text.substr(second + 1)}};
}

std::optional<std::string> read_sysctl(const std::string& name) {
    const FileDescriptor file{::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC)};
    return file ? read_value(file.get()) : std::nullopt;
}

SysctlChanges::SysctlChanges(const std::vector<SysctlChange>& changes) {
    for (const auto& change : changes) {
        if (auto file = open_setting(change.name)) {
            entries_.push_back({change, std::move(file)});
        }
    }
}

std::vector<std::string> SysctlChanges::apply() {
    std::vector<std::string> changed;
    for (const auto& [change, file] : entries_) {
        const auto current = read_value(file.get());
        if (!current || *current == change.ours) {
            continue;  // nullopt: its interface is gone
        }
        if (write_value(file.get(), change.ours)) {
            changed.push_back(change.name);
        } else {
            kLog.warn("Could not change a kernel setting; set it by hand or traffic may not be forwarded",
                      log::field("setting", change.name), log::field("value", change.ours));
        }
    }
    return changed;
}

void SysctlChanges::restore() {
    // Decided before the first is written: some change others along with them.
    std::vector<const Entry*> ours;
    for (const auto& entry : entries_) {
        if (read_value(entry.file.get()) == entry.change.ours) {
            ours.push_back(&entry);
        }
    }
    for (const auto* entry : ours | std::views::reverse) {
        if (read_value(entry->file.get()) != entry->change.before &&
            !write_value(entry->file.get(), entry->change.before)) {
            kLog.warn("Could not put a kernel setting back", log::field("setting", entry->change.name),
                      log::field("value", entry->change.before));
        }
    }
}

}  // namespace culvert::io
