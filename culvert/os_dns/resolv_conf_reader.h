#pragma once

#include <filesystem>
#include <vector>

#include "culvert/net/ip_address.h"

namespace culvert::os_dns {

inline constexpr const char* kResolvConf = "/etc/resolv.conf";

/// The nameservers of the file, or of what the link of that name points to; never sentinels. Where a client wrote the
/// file, those of its copy of what was there before. Empty if it cannot be read.
///
/// To hear of changes: file_watch.h. Source: spec/dns.md sections 10.5 and 11.3.
[[nodiscard]] std::vector<net::IpAddress> read_resolv_conf(const std::filesystem::path& root = "/");

}  // namespace culvert::os_dns
