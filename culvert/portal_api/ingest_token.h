#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/secret.h"

/// The token by which flow logs are attributed: a JWT that the portal gives to both ends of an authorization, and that
/// comes back with the records of its flows. Source: spec/newer-dialect.md section 10.
namespace culvert::portal_api {

/// Which end of an authorization a device is. The initiator is the client that asked.
enum class FlowRole : std::uint8_t { kInitiator, kResponder };

/// As on the wire.
[[nodiscard]] std::string_view to_string(FlowRole role);
[[nodiscard]] std::optional<FlowRole> parse_flow_role(std::string_view text);

/// What a token says. Absent attributes are left out of it.
struct IngestClaims {
    AccountId account;
    UnixSeconds issued_at;
    UnixSeconds expires_at;
    /// False: flows of this authorization are not recorded.
    bool uploads_enabled = false;
    FlowRole role = FlowRole::kInitiator;
    Uuid initiator_device;
    /// A gateway or another client.
    Uuid responder_device;
    Uuid policy_authorization;
    Uuid policy;
    ResourceId resource;
    std::string resource_name;
    Uuid initiator_actor;
    std::string initiator_actor_name;
    /// ISO 8601, as whoever made the token wrote it.
    std::string authorized_at;
    std::string authorization_expires_at;
    std::optional<std::string> resource_address = std::nullopt;
    std::optional<std::string> initiator_actor_email = std::nullopt;
    std::optional<std::string> initiator_auth_provider_id = std::nullopt;
    std::optional<std::string> initiator_client_version = std::nullopt;
    std::optional<std::string> initiator_device_os_name = std::nullopt;
    std::optional<std::string> initiator_device_os_version = std::nullopt;
    std::optional<std::string> initiator_device_serial = std::nullopt;
    std::optional<std::string> initiator_device_uuid = std::nullopt;
    std::optional<std::string> initiator_device_identifier_for_vendor = std::nullopt;
    std::optional<std::string> initiator_device_firebase_installation_id = std::nullopt;

    friend bool operator==(const IngestClaims&, const IngestClaims&) = default;
};

/// A longer token is refused unread. Ours have a few kilobytes at most.
inline constexpr std::size_t kMaxIngestToken = 16 * 1024;

using IngestKey = crypto::Secret<32>;

/// HS256. Long texts are cut, so that the token fits into a request's header.
[[nodiscard]] std::string sign_ingest_token(const IngestClaims& claims, const IngestKey& key);

enum class IngestTokenError : std::uint8_t {
    /// Not three segments of strict base64url with an HS256 header, or a claim is missing or of another type.
    kMalformed,
    kBadSignature,
    kExpired,
};

/// What the token says, whoever wrote it: for devices, which have no key (and trust who sent it).
[[nodiscard]] std::expected<IngestClaims, IngestTokenError> decode_ingest_token(std::string_view token);

/// The same once the signature is verified, with HS256 whatever the header says, in constant time, and the token has
/// not expired. Nothing of a token that was not signed with the key is looked at but its form.
[[nodiscard]] std::expected<IngestClaims, IngestTokenError> verify_ingest_token(std::string_view token,
                                                                                const IngestKey& key, UnixSeconds now);

}  // namespace culvert::portal_api
