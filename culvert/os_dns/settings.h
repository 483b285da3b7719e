#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/net/ip_address.h"

namespace culvert::os_dns {

/// What the machine shall ask, and which domain it appends to short names.
struct Settings {
    /// Sentinels (spec/dns.md section 2.4), in the order in which to ask them.
    std::vector<net::IpAddress> servers;
    std::optional<std::string> search_domain;

    friend bool operator==(const Settings&, const Settings&) = default;
};

/// Whether a text can stand in a configuration file as a domain, and nowhere be taken for more than that: labels of
/// letters, digits, '-' and '_'. A trailing dot is fine.
[[nodiscard]] bool is_search_domain(std::string_view text);

/// Whether these are settings that a client can have: at least one server, only sentinels, each once, and a proper
/// domain. Others would send the machine's queries to somebody else. The error is for a person.
[[nodiscard]] std::expected<void, std::string> check(const Settings& settings);

/// Without sentinels, which would be ourselves, and each once.
[[nodiscard]] std::vector<net::IpAddress> without_sentinels(const std::vector<net::IpAddress>& addresses);

}  // namespace culvert::os_dns
