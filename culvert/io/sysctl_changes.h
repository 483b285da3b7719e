#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/io/file_descriptor.h"

namespace culvert::io {

/// One setting of the kernel that we change, or that changes as a side effect of another. `name` is its path below
/// /proc/sys.
struct SysctlChange {
    std::string name;
    std::string before;
    std::string ours;

    friend bool operator==(const SysctlChange&, const SysctlChange&) = default;
};

/// "name=before=ours", as it is written down.
[[nodiscard]] std::string to_text(const SysctlChange& change);
[[nodiscard]] std::optional<SysctlChange> parse_change(std::string_view text);

/// The value of a setting of this network namespace, without the line's end.
[[nodiscard]] std::optional<std::string> read_sysctl(const std::string& name);

/// Settings of the kernel that are ours for a while, and go back to what they were.
///
/// Keeps the files open from the start, so that the values can be put back by a process that by then may open nothing
/// more. The kernel still asks for the right at each write: CAP_NET_ADMIN over the network namespace.
class SysctlChanges {
public:
    SysctlChanges() = default;
    /// In the order in which they are to be made. Changes nothing yet. A setting that does not exist is left out.
    explicit SysctlChanges(const std::vector<SysctlChange>& changes);

    /// Makes the changes that are missing, in order, and says which of them were. A refusal is logged as a warning.
    std::vector<std::string> apply();

    /// Puts back, in the reverse order, what still has our value: what somebody else has changed since is his.
    void restore();

private:
    struct Entry {
        SysctlChange change;
        FileDescriptor file;
    };

    std::vector<Entry> entries_;
};

}  // namespace culvert::io
