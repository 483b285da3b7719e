#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "culvert/net/ip_address.h"
#include "culvert/os_dns/settings.h"

/// The text of resolv.conf, as glibc reads it (resolv.conf(5)).
namespace culvert::os_dns {

/// How a file begins that a client wrote, ours or another implementation's. Source: spec/dns.md section 11.3.
inline constexpr std::string_view kMagicLine = "# BEGIN Firezone DNS configuration\n";

[[nodiscard]] bool is_ours(std::string_view text);

/// The addresses of all `nameserver` lines in their order, without zones. Lines that make no sense are skipped.
[[nodiscard]] std::vector<net::IpAddress> nameservers(std::string_view text);

/// What stands in `original`, but with these servers, this search domain or none, and one dot enough for a name to be
/// tried as it is. Comments are left out, since they would be about what was there. Requires check(settings).
[[nodiscard]] std::string rewritten(std::string_view original, const Settings& settings);

}  // namespace culvert::os_dns
