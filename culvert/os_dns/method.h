#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace culvert::os_dns {

/// How a client makes itself the resolver of the machine. Source: spec/dns.md section 11.1.
enum class DnsMethod : std::uint8_t {
    kSystemdResolved,  ///< by D-Bus, for the TUN interface
    kEtcResolvConf,    ///< by rewriting /etc/resolv.conf
    kDisabled,         ///< not at all: applications are pointed at a sentinel by hand
};

/// From "systemd-resolved", "etc-resolv-conf" or "disabled".
[[nodiscard]] std::optional<DnsMethod> parse_method(std::string_view text);
[[nodiscard]] std::string_view to_string(DnsMethod method);

}  // namespace culvert::os_dns
