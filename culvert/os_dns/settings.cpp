#include "culvert/os_dns/settings.h"

#include <algorithm>

#include "culvert/dns/address_ranges.h"

namespace culvert::os_dns {
namespace {

// RFC 1035 section 2.3.4.
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxName = 253;

bool is_domain_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

bool is_search_domain(std::string_view text) {
    if (text.ends_with('.')) {
        text.remove_suffix(1);
    }
    if (text.empty() || text.size() > kMaxName) {
        return false;
    }
    std::size_t label = 0;
    for (const char c : text) {
        if (c == '.' ? label == 0 : !is_domain_character(c) || label == kMaxLabel) {
            return false;
        }
        label = c == '.' ? 0 : label + 1;
    }
    return label > 0;
}

std::expected<void, std::string> check(const Settings& settings) {
    if (settings.servers.empty()) {
        return std::unexpected{std::string{"there is no server to ask"}};
    }
    for (auto server = settings.servers.begin(); server != settings.servers.end(); ++server) {
        if (!dns::is_sentinel_address(*server) || std::find(settings.servers.begin(), server, *server) != server) {
            return std::unexpected{server->to_string() + " is no address of the stub resolver, or stands there twice"};
        }
    }
    if (settings.search_domain && !is_search_domain(*settings.search_domain)) {
        return std::unexpected{std::string{"the search domain is no domain"}};
    }
    return {};
}

std::vector<net::IpAddress> without_sentinels(const std::vector<net::IpAddress>& addresses) {
    std::vector<net::IpAddress> kept;
    for (const auto& address : addresses) {
        if (!dns::is_sentinel_address(address) && std::ranges::find(kept, address) == kept.end()) {
            kept.push_back(address);
        }
    }
    return kept;
}

}  // namespace culvert::os_dns
