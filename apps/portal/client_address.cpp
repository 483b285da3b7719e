#include "apps/portal/client_address.h"

#include <algorithm>

namespace culvert::portal_server {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t";
    const auto first = text.find_first_not_of(kSpace);
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// The IPv4 address in an IPv4-mapped one (RFC 4291 section 2.5.5.2); itself otherwise. Some proxies name IPv4 clients
/// so, and rules about IPv4 networks must not miss them.
net::IpAddress unmapped(const net::IpAddress& address) {
    constexpr std::size_t kPrefixSize = 12;
    static const auto kMapped = *net::IpNetwork::parse("::ffff:0:0/96");
    return kMapped.contains(address) ? net::IpAddress::from_bytes(address.bytes().subspan(kPrefixSize)) : address;
}

}  // namespace

net::IpAddress client_address(const net::IpAddress& peer, std::string_view forwarded_for,
                              std::span<const net::IpNetwork> trusted_proxies) {
    auto address = peer;
    while (!forwarded_for.empty() &&
           std::ranges::any_of(trusted_proxies, [&](const auto& proxy) { return proxy.contains(address); })) {
        const auto comma = forwarded_for.rfind(',');
        const auto last = trimmed(forwarded_for.substr(comma == std::string_view::npos ? 0 : comma + 1));
        const auto reported = net::IpAddress::parse(last);
        if (!reported) {
            break;
        }
        address = unmapped(*reported);
        forwarded_for = comma == std::string_view::npos ? "" : forwarded_for.substr(0, comma);
    }
    return address;
}

}  // namespace culvert::portal_server
