#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "culvert/io/file_descriptor.h"
#include "culvert/io/sysctl_changes.h"

namespace culvert::io {

/// Where a device notes what it changed on the host.
inline constexpr const char* kRecordFolder = "/run/culvert";

/// What we changed on this host, written down so that the next start can put it back if this one is killed.
///
/// One file per network namespace and boot: after either has gone, so have the settings. Kept open, so that it can be
/// emptied by a process that by then may open nothing more.
class HostRecord {
public:
    /// Opens this network namespace's record in `folder`, which is created. Without one that can be written, e.g. on a
    /// read-only file system, nothing is stored.
    [[nodiscard]] static HostRecord open(const std::filesystem::path& folder);

    [[nodiscard]] bool can_store() const { return static_cast<bool>(file_); }
    [[nodiscard]] std::vector<SysctlChange> load() const;
    void store(const std::vector<SysctlChange>& changes);
    void clear() { store({}); }

private:
    FileDescriptor file_;
};

}  // namespace culvert::io
