#pragma once

#include <string_view>

namespace culvert::portal_api {

/// Whether it names a resolver that can be asked over HTTPS: an absolute `https` URL with a host, on port 443, without
/// user, query or fragment. Source: spec/dns.md section 14.2, RFC 8484 section 3.
[[nodiscard]] bool is_doh_url(std::string_view text);

}  // namespace culvert::portal_api
