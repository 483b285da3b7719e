#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/portal/model.h"

/// What administrators may enter for a resource. Source: spec/portal-product.md section 1.9. Errors are the end of a
/// sentence that begins with the field's name.
namespace culvert::portal {

/// Checks and normalises: host bits of a network are cleared, addresses get their shortest form.
[[nodiscard]] std::expected<std::string, std::string> canonical_address(ResourceType type, std::string_view text);

/// "443" or "8000 - 8100", spaces optional.
[[nodiscard]] std::expected<PortRange, std::string> parse_ports(std::string_view text);

/// A server that clients inside the tunnel can reach: "203.0.113.53", "203.0.113.53:53", "[2001:db8::53]:53". The port
/// defaults to 53.
[[nodiscard]] std::expected<net::SocketAddress, std::string> parse_upstream_dns(std::string_view text);
/// Where devices reach a portal by HTTP.
[[nodiscard]] std::expected<std::string, std::string> parse_api_url(std::string_view text);
/// The URL of a resolver that is asked over HTTPS.
[[nodiscard]] std::expected<std::string, std::string> parse_doh_url(std::string_view text);

/// A domain that clients append to single names.
[[nodiscard]] std::expected<std::string, std::string> parse_search_domain(std::string_view text);

}  // namespace culvert::portal
