#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/portal/session.h"
#include "culvert/portal/storage.h"
#include "culvert/portal/version.h"
#include "culvert/portal_api/dialect.h"
#include "culvert/portal_api/role.h"

/// The checks before a WebSocket is accepted. Source: spec/portal-protocol.md sections 2.1, 2.3, 2.4, 9.1 and 9.2.
namespace culvert::portal {

/// An HTTP upgrade, decoded.
struct ConnectRequest {
    portal_api::Role role = portal_api::Role::kClient;
    /// As the path says.
    portal_api::Dialect dialect = portal_api::Dialect::kV1;
    /// The query's parameters, percent-decoded, in order.
    std::vector<std::pair<std::string, std::string>> parameters;
    std::string user_agent;
    net::IpAddress remote_ip;
};

/// What a device is turned away with. What it does depends on status and code (spec/newer-dialect.md section 3): 401
/// makes it forget its token, so nothing else may be answered with that.
struct Refusal {
    unsigned status = 401;
    std::string_view code;
    /// For a person.
    std::string text;
    /// When to try again, for devices that heed it.
    std::optional<std::chrono::seconds> retry_after = std::nullopt;
};

/// A client or gateway that has shown its token and is about to be registered.
struct Applicant {
    DeviceIdentity identity;
    crypto::PublicKey public_key;
};

/// Has the last word before the database is locked for writing. Relays are no applicants.
using Admission = std::function<std::optional<Refusal>(const Token&, const std::optional<Applicant>&)>;

/// A device that may join its channel.
struct Registration {
    TokenId token;
    std::optional<UnixSeconds> expires_at;
    std::string user_agent;
    net::IpAddress remote_ip;
    /// Of clients and gateways; relays have no use for one.
    Version version;
    /// Of clients and gateways.
    std::optional<DeviceIdentity> identity;
    std::variant<Client, Gateway, RelayServer> device;
};

/// The token that the request shows, whatever it is worth.
[[nodiscard]] std::optional<std::string> shown_token(const ConnectRequest& request);

/// Whether the request's token was signed with these keys; it may have been revoked, or have expired, since.
[[nodiscard]] bool has_signed_token(const ConnectRequest& request, const TokenKeys& keys);

/// Verifies the token, asks `admit`, then inserts or updates the device's row, and records that the device gets
/// credentials for relays. Whoever is refused, for whatever reason, has changed nothing. Throws StorageError.
[[nodiscard]] std::expected<Registration, Refusal> register_device(const ConnectRequest& request, const TokenKeys& keys,
                                                                   Storage& storage, Rng& rng, UnixSeconds now,
                                                                   const RegistrationLimits& limits,
                                                                   const Admission& admit);

}  // namespace culvert::portal
