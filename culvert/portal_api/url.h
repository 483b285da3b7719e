#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/crypto/keys.h"
#include "culvert/net/ip_address.h"
#include "culvert/portal_api/dialect.h"
#include "culvert/portal_api/role.h"

/// The URL a device connects to. Source: spec/portal-protocol.md section 2.1, spec/newer-dialect.md section 2.
namespace culvert::portal_api {

/// Hardware identities; only sent if known.
struct DeviceInfo {
    std::optional<std::string> serial;  // the placeholder "123456789" of cheap firmware counts as absent
    std::optional<std::string> uuid;
    std::optional<std::string> identifier_for_vendor;
    std::optional<std::string> firebase_installation_id;
};

/// Who logs in, apart from the public key, which may change with every connection.
struct LoginParameters {
    Role role = Role::kClient;
    std::string token;                          // white space in it counts for nothing
    std::string external_id;                    // clients and gateways; see external_id.h
    std::optional<std::string> name;            // mandatory for clients and gateways
    DeviceInfo device;                          // clients
    std::optional<net::IpAddress> public_ipv4;  // relays: one of the two at least
    std::optional<net::IpAddress> public_ipv6;
    std::uint16_t port = 0;  // relays: where they listen
};

/// Holds the token: never log it.
class LoginUrl {
public:
    /// Parses the base URL (`wss://api.example.com/`). Schemes: http, ws, https, wss; the port defaults to 443 for all
    /// of them; a query is discarded. The error is a sentence for a person that does not contain the URL.
    [[nodiscard]] static std::expected<LoginUrl, std::string> build(std::string_view base_url,
                                                                    const LoginParameters& parameters);

    /// A host name or an address; without the brackets of an IPv6 literal.
    [[nodiscard]] const std::string& host() const { return host_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] bool is_tls() const { return is_tls_; }

    /// Value of the Host header: no port.
    [[nodiscard]] std::string host_header() const;

    /// Path and query. The newer dialect's has no token in it; relays have one path in both, and no key.
    [[nodiscard]] std::string target(Dialect dialect, const std::optional<crypto::PublicKey>& public_key) const;

    /// Value of the header X-Authorization, in both dialects: "Bearer " and the token.
    [[nodiscard]] std::string authorization() const { return "Bearer " + token_; }

    /// `text` with the token taken out, and whatever follows "token=": servers like to quote the URL they refuse.
    [[nodiscard]] std::string without_token(std::string text) const;

private:
    std::string token_;
    std::string host_;
    std::string older_target_;
    std::string newer_target_;
    std::uint16_t port_ = 443;
    bool is_tls_ = true;
};

/// Encodes one key or value as application/x-www-form-urlencoded.
[[nodiscard]] std::string form_encode(std::string_view text);

}  // namespace culvert::portal_api
