#include "apps/portal/client_address.h"

#include <algorithm>

namespace culvert::portal_server {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t";
    const auto first = text.find_first_not_of(kSpace);
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
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
        address = *reported;
        forwarded_for = comma == std::string_view::npos ? "" : forwarded_for.substr(0, comma);
    }
    return address;
}

}  // namespace culvert::portal_server
