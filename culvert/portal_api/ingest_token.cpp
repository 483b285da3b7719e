#include "culvert/portal_api/ingest_token.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json/serialize.hpp>

#include "culvert/base/base64.h"
#include "culvert/crypto/hmac.h"
#include "culvert/portal_api/json_document.h"
#include "culvert/portal_api/json_reader.h"

namespace culvert::portal_api {
namespace {

/// {"alg":"HS256"}, the only header that we write.
constexpr std::string_view kHeader = "eyJhbGciOiJIUzI1NiJ9";
constexpr std::size_t kTokenDepth = 4;
/// Of one claim, in bytes: with all of them this long the token still fits into the header of a request.
constexpr std::size_t kMaxClaim = 256;

constexpr std::array<std::pair<std::string_view, std::optional<std::string> IngestClaims::*>, 10> kOptionalClaims = {
    {{"resource_address", &IngestClaims::resource_address},
     {"initiator_actor_email", &IngestClaims::initiator_actor_email},
     {"initiator_auth_provider_id", &IngestClaims::initiator_auth_provider_id},
     {"initiator_client_version", &IngestClaims::initiator_client_version},
     {"initiator_device_os_name", &IngestClaims::initiator_device_os_name},
     {"initiator_device_os_version", &IngestClaims::initiator_device_os_version},
     {"initiator_device_serial", &IngestClaims::initiator_device_serial},
     {"initiator_device_uuid", &IngestClaims::initiator_device_uuid},
     {"initiator_device_identifier_for_vendor", &IngestClaims::initiator_device_identifier_for_vendor},
     {"initiator_device_firebase_installation_id", &IngestClaims::initiator_device_firebase_installation_id}}};

struct Segments {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    /// What is signed.
    std::string_view signed_part;
};

std::optional<Segments> split(std::string_view token) {
    if (token.size() > kMaxIngestToken) {
        return std::nullopt;
    }
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
        return std::nullopt;
    }
    const Segments segments{.header = token.substr(0, first),
                            .payload = token.substr(first + 1, second - first - 1),
                            .signature = token.substr(second + 1),
                            .signed_part = token.substr(0, second)};
    const bool is_complete = !segments.header.empty() && !segments.payload.empty() && !segments.signature.empty();
    return is_complete ? std::optional{segments} : std::nullopt;
}

/// Extensions that must be understood are none of ours.
bool is_hs256(std::string_view header) {
    const auto bytes = from_base64(header, Base64::kUrlNoPadding);
    if (!bytes) {
        return false;
    }
    JsonDocument document;
    const auto root = document.parse(culvert::as_text(*bytes), kMaxIngestToken, kTokenDepth);
    if (!root) {
        return false;
    }
    Problem problem;
    const ObjectReader reader{**root, {nullptr, "header"}, problem};
    const auto algorithm = reader.string("alg");
    return problem.is_none() && algorithm == "HS256" && reader.find("crit") == nullptr;
}

std::optional<IngestClaims> read_claims(std::string_view payload) {
    const auto bytes = from_base64(payload, Base64::kUrlNoPadding);
    if (!bytes) {
        return std::nullopt;
    }
    JsonDocument document;
    const auto root = document.parse(culvert::as_text(*bytes), kMaxIngestToken, kTokenDepth);
    if (!root) {
        return std::nullopt;
    }
    Problem problem;
    const ObjectReader reader{**root, {nullptr, "claims"}, problem};
    const auto role = parse_flow_role(reader.string("role"));
    IngestClaims claims{.account = reader.id<AccountId>("account_id"),
                        .issued_at = reader.timestamp("iat"),
                        .expires_at = reader.timestamp("exp"),
                        .uploads_enabled = reader.boolean("uploads_enabled"),
                        .role = role.value_or(FlowRole::kInitiator),
                        .initiator_device = reader.id<Uuid>("initiator_device_id"),
                        .responder_device = reader.id<Uuid>("responder_device_id"),
                        .policy_authorization = reader.id<Uuid>("policy_authorization_id"),
                        .policy = reader.id<Uuid>("policy_id"),
                        .resource = reader.id<ResourceId>("resource_id"),
                        .resource_name = reader.string("resource_name"),
                        .initiator_actor = reader.id<Uuid>("initiator_actor_id"),
                        .initiator_actor_name = reader.string("initiator_actor_name"),
                        .authorized_at = reader.string("authorized_at"),
                        .authorization_expires_at = reader.string("authorization_expires_at")};
    for (const auto& [name, member] : kOptionalClaims) {
        claims.*member = reader.optional_string(name);
    }
    return problem.is_none() && role ? std::optional{std::move(claims)} : std::nullopt;
}

/// Whole characters only.
std::string_view cut(std::string_view text) {
    if (text.size() <= kMaxClaim) {
        return text;
    }
    auto end = kMaxClaim;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
        --end;
    }
    return text.substr(0, end);
}

// Parentheses, because in braces boost::json::value takes anything for a list.
json::value text_value(std::string_view text) {
    const auto shown = cut(text);
    return json::value(json::string_view{shown.data(), shown.size()});
}

std::string write_claims(const IngestClaims& claims) {
    json::object object{{"account_id", text_value(claims.account.to_string())},
                        {"iat", claims.issued_at.time_since_epoch().count()},
                        {"exp", claims.expires_at.time_since_epoch().count()},
                        {"uploads_enabled", claims.uploads_enabled},
                        {"role", text_value(to_string(claims.role))},
                        {"initiator_device_id", text_value(claims.initiator_device.to_string())},
                        {"responder_device_id", text_value(claims.responder_device.to_string())},
                        {"policy_authorization_id", text_value(claims.policy_authorization.to_string())},
                        {"policy_id", text_value(claims.policy.to_string())},
                        {"resource_id", text_value(claims.resource.to_string())},
                        {"resource_name", text_value(claims.resource_name)},
                        {"initiator_actor_id", text_value(claims.initiator_actor.to_string())},
                        {"initiator_actor_name", text_value(claims.initiator_actor_name)},
                        {"authorized_at", text_value(claims.authorized_at)},
                        {"authorization_expires_at", text_value(claims.authorization_expires_at)}};
    for (const auto& [name, member] : kOptionalClaims) {
        if (const auto& value = claims.*member) {
            object.emplace(name, text_value(*value));
        }
    }
    return json::serialize(object);
}

}  // namespace

std::string_view to_string(FlowRole role) {
    return role == FlowRole::kInitiator ? "initiator" : "responder";
}

std::optional<FlowRole> parse_flow_role(std::string_view text) {
    if (text == "initiator") {
        return FlowRole::kInitiator;
    }
    return text == "responder" ? std::optional{FlowRole::kResponder} : std::nullopt;
}

std::string sign_ingest_token(const IngestClaims& claims, const IngestKey& key) {
    auto token = std::string{kHeader} + "." + to_base64(as_bytes(write_claims(claims)), Base64::kUrlNoPadding);
    const auto signature = crypto::hmac_sha256(key.reveal(), {as_bytes(token)});
    return token + "." + to_base64(signature, Base64::kUrlNoPadding);
}

std::expected<IngestClaims, IngestTokenError> decode_ingest_token(std::string_view token) {
    const auto segments = split(token);
    if (!segments || !is_hs256(segments->header)) {
        return std::unexpected{IngestTokenError::kMalformed};
    }
    auto claims = read_claims(segments->payload);
    return claims ? std::expected<IngestClaims, IngestTokenError>{*std::move(claims)}
                  : std::unexpected{IngestTokenError::kMalformed};
}

std::expected<IngestClaims, IngestTokenError> verify_ingest_token(std::string_view token, const IngestKey& key,
                                                                  UnixSeconds now) {
    const auto segments = split(token);
    const auto signature = segments ? from_base64(segments->signature, Base64::kUrlNoPadding) : std::optional<Bytes>{};
    if (!signature || !is_hs256(segments->header)) {
        return std::unexpected{IngestTokenError::kMalformed};
    }
    const auto expected = crypto::hmac_sha256(key.reveal(), {as_bytes(segments->signed_part)});
    if (!crypto::equal_constant_time(expected, *signature)) {
        return std::unexpected{IngestTokenError::kBadSignature};
    }
    auto claims = decode_ingest_token(token);
    if (claims && claims->expires_at <= now) {
        return std::unexpected{IngestTokenError::kExpired};
    }
    return claims;
}

}  // namespace culvert::portal_api
