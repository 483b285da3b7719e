#pragma once

#include <span>
#include <string_view>

#include "culvert/net/ip_network.h"

namespace culvert::portal_server {

/// Where a request comes from: `peer`, or the address that trusted reverse proxies report in X-Forwarded-For.
///
/// Each proxy appends whom it was called by, so the header is read from its end, as far as the reporters are trusted;
/// what a stranger wrote in front of that is not looked at (spec/portal-protocol.md section 2.3).
/// `forwarded_for`: the values of all such headers, joined with commas.
[[nodiscard]] net::IpAddress client_address(const net::IpAddress& peer, std::string_view forwarded_for,
                                            std::span<const net::IpNetwork> trusted_proxies);

}  // namespace culvert::portal_server
