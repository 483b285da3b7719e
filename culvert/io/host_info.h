#pragma once

#include <optional>
#include <string>

namespace culvert::io {

/// What this machine calls itself, as far as it can be found out. Empty strings: unknown.
struct HostInfo {
    std::string os_name;     ///< NAME of /etc/os-release
    std::string os_version;  ///< VERSION_ID of it
    std::string kernel;      ///< release of the kernel
    std::string architecture;
    std::string host_name;
    std::optional<std::string> serial;  ///< SMBIOS system serial number; readable by root
    std::optional<std::string> uuid;    ///< SMBIOS system UUID; readable by root
};

[[nodiscard]] HostInfo read_host_info();

}  // namespace culvert::io
