#include "culvert/portal/registration.h"

#include <algorithm>
#include <charconv>

#include "culvert/base/overloaded.h"
#include "culvert/base/printable.h"
#include "culvert/portal/base32.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/derivations.h"
#include "culvert/portal/text.h"
#include "culvert/turn/constants.h"

namespace culvert::portal {
namespace {

using portal_api::Role;

TokenType token_type(Role role) {
    switch (role) {
        case Role::kClient:
            return TokenType::kClient;
        case Role::kGateway:
            return TokenType::kGateway;
        case Role::kRelay:
            return TokenType::kRelay;
    }
    return TokenType::kRelay;
}

/// Takes values out of the query and collects what is wrong with them.
class Parameters {
public:
    explicit Parameters(const std::vector<std::pair<std::string, std::string>>& pairs) : pairs_{pairs} {}

    /// Trimmed; the last one counts; an empty one counts as absent.
    [[nodiscard]] std::optional<std::string> find(std::string_view name) const {
        std::optional<std::string> found;
        for (const auto& [key, value] : pairs_) {
            if (key == name) {
                found = trim(value);
            }
        }
        return found && !found->empty() ? found : std::nullopt;
    }

    std::optional<std::string> text(std::string_view name) {
        auto value = find(name);
        if (value && count_characters(*value) > kMaxTextCharacters) {
            fail(name, "should be at most 255 character(s)");
        }
        if (value && has_control_characters(*value)) {
            fail(name, "must not have control characters");
        }
        return value;
    }

    std::string required_text(std::string_view name) {
        auto value = text(name);
        if (!value) {
            fail(name, "can't be blank");
        }
        return value.value_or("");
    }

    /// Which the reference takes under two names.
    std::string external_id() { return find("external_id") ? required_text("external_id") : firezone_id(); }

    crypto::PublicKey public_key() {
        const auto value = find("public_key");
        const auto key = value ? crypto::PublicKey::parse(*value) : std::nullopt;
        if (!value) {
            fail("public_key", "can't be blank");
        } else if (!key) {
            fail("public_key", "must be 32 bytes in base64");
        }
        return key.value_or(crypto::PublicKey{});
    }

    std::optional<net::IpAddress> address(std::string_view name, net::Family family) {
        const auto value = find(name);
        if (!value) {
            return std::nullopt;
        }
        const auto address = net::IpAddress::parse(*value);
        if (!address || address->family() != family) {
            fail(name, "is invalid");
        }
        return address;
    }

    std::uint16_t port() {
        const auto value = find("port");
        if (!value) {
            return turn::kRelayPort;
        }
        std::uint16_t port = 0;
        const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), port);
        if (error != std::errc{} || end != value->data() + value->size() || port == 0) {
            fail("port", "must be between 1 and 65535");
        }
        return port;
    }

    void fail(std::string_view name, std::string_view message) {
        problems_ += problems_.empty() ? "" : "; ";
        problems_ += name;
        problems_ += ' ';
        problems_ += message;
    }

    [[nodiscard]] bool has_problems() const { return !problems_.empty(); }
    [[nodiscard]] Refusal refusal() const { return {400, "invalid_connect_params", problems_}; }

private:
    std::string firezone_id() {
        return find("firezone_id") ? required_text("firezone_id") : required_text("external_id");
    }

    const std::vector<std::pair<std::string, std::string>>& pairs_;
    std::string problems_;
};

Refusal invalid_token() {
    return {401, "invalid_token", "Token is invalid or expired"};
}

std::expected<Token, Refusal> authenticate(std::string_view text, Role role, const TokenKeys& keys, Storage& storage,
                                           UnixSeconds now) {
    const auto claims = verify_token(text, token_type(role), keys);
    if (!claims) {
        return std::unexpected{invalid_token()};
    }
    // What a token belongs to exists for as long as the token does: the storage sees to that.
    const auto token = storage.find_token(claims->token);
    if (!token || token->account != claims->account || token->type != token_type(role) || token->is_expired(now) ||
        !secret_matches(*claims, *token)) {
        return std::unexpected{invalid_token()};
    }
    return *token;
}

/// 503 where waiting or a new key helps: to older devices every 4xx is the end (spec/portal-protocol.md section 2.4).
Refusal refuse(RegisterError error) {
    using namespace std::chrono_literals;
    switch (error) {
        case RegisterError::kPublicKeyTaken:
            return {503, "public_key_taken",
                    "public_key: another device of this account uses it. Start this one again, so that it makes itself "
                    "a new key.",
                    60s};
        case RegisterError::kRevoked:
            // For this device no token counts any more. Makes every generation give up, rather than knock for ever.
            return {401, "invalid_token", "This device was revoked"};
        case RegisterError::kNoTunnelAddressLeft:
            return {503, "limits_exceeded",
                    "No tunnel address is left for another device. Delete devices that are no longer used, or have "
                    "them forgotten sooner with --forget-devices-after.",
                    300s};
        case RegisterError::kTooManyDevices:
            return {503, "limits_exceeded",
                    "Too many devices have signed in with this account's or site's tokens. Delete those that are no "
                    "longer used, or raise --max-devices.",
                    300s};
    }
    return {503, "unavailable", "Registration failed.", 60s};
}

std::string random_name(Rng& rng) {
    return to_base32_lower(rng.array<5>());
}

ClientReport client_report(Parameters& parameters, const Token& token, const LastSeen& last_seen, Rng& rng,
                           const RegistrationLimits& limits) {
    return {.actor = *token.actor,
            .token = token.id,
            .external_id = parameters.external_id(),
            .name = parameters.text("name").value_or(random_name(rng)),
            .public_key = parameters.public_key(),
            .device_serial = parameters.text("device_serial"),
            .device_uuid = parameters.text("device_uuid"),
            .identifier_for_vendor = parameters.text("identifier_for_vendor"),
            .firebase_installation_id = parameters.text("firebase_installation_id"),
            .last_seen = last_seen,
            .limits = limits};
}

GatewayReport gateway_report(Parameters& parameters, const Token& token, const LastSeen& last_seen, Rng& rng,
                             const RegistrationLimits& limits) {
    return {.site = *token.site,
            .token = token.id,
            .external_id = parameters.external_id(),
            .name = parameters.text("name").value_or(random_name(rng)),
            .public_key = parameters.public_key(),
            .last_seen = last_seen,
            .limits = limits};
}

RelayReport relay_report(Parameters& parameters, const Token& token, const LastSeen& last_seen) {
    const RelayReport report{.token = token.id,
                             .name = parameters.text("name"),
                             .ipv4 = parameters.address("ipv4", net::Family::kIpv4),
                             .ipv6 = parameters.address("ipv6", net::Family::kIpv6),
                             .port = parameters.port(),
                             .last_seen = last_seen};
    if (!report.ipv4 && !report.ipv6) {
        parameters.fail("ipv4", "one of ipv4 and ipv6 must be present");
    }
    return report;
}

/// What the device says about itself, by its role.
using Report = std::variant<ClientReport, GatewayReport, RelayReport>;

Report read_report(Role role, Parameters& parameters, const Token& token, const LastSeen& last_seen, Rng& rng,
                   const RegistrationLimits& limits) {
    switch (role) {
        case Role::kClient:
            return client_report(parameters, token, last_seen, rng, limits);
        case Role::kGateway:
            return gateway_report(parameters, token, last_seen, rng, limits);
        case Role::kRelay:
            break;
    }
    return relay_report(parameters, token, last_seen);
}

std::optional<Applicant> to_applicant(const Report& report) {
    return std::visit(
        overloaded{
            [](const ClientReport& client) {
                return std::optional{Applicant{{client.actor.uuid(), client.external_id}, client.public_key}};
            },
            [](const GatewayReport& gateway) {
                return std::optional{Applicant{{gateway.site.uuid(), gateway.external_id}, gateway.public_key}};
            },
            [](const RelayReport&) { return std::optional<Applicant>{}; },
        },
        report);
}

using Device = decltype(Registration::device);

/// Writes nothing if it is an error.
std::expected<Device, RegisterError> store(const Report& report, Storage& storage, Rng& rng) {
    using Stored = std::expected<Device, RegisterError>;
    const auto to_device = [](auto row) {
        return row ? Stored{Device{*std::move(row)}} : Stored{std::unexpected{row.error()}};
    };
    return std::visit(
        overloaded{
            [&](const ClientReport& client) { return to_device(storage.register_client(client, rng)); },
            [&](const GatewayReport& gateway) { return to_device(storage.register_gateway(gateway, rng)); },
            [&](const RelayReport& relay) { return to_device(storage.register_relay(relay, rng)); },
        },
        report);
}

}  // namespace

std::optional<std::string> shown_token(const ConnectRequest& request) {
    return Parameters{request.parameters}.find("token");
}

bool has_signed_token(const ConnectRequest& request, const TokenKeys& keys) {
    const auto text = shown_token(request);
    return text && verify_token(*text, token_type(request.role), keys).has_value();
}

std::expected<Registration, Refusal> register_device(const ConnectRequest& request, const TokenKeys& keys,
                                                     Storage& storage, Rng& rng, UnixSeconds now,
                                                     const RegistrationLimits& limits, const Admission& admit) {
    Parameters parameters{request.parameters};
    const auto token_text = shown_token(request);
    if (!token_text) {
        return std::unexpected{Refusal{401, "missing_token", "Token is missing"}};
    }
    const auto token = authenticate(*token_text, request.role, keys, storage, now);
    if (!token) {
        return std::unexpected{token.error()};
    }
    const auto agent = UserAgent::parse(request.user_agent);
    if (!agent) {
        parameters.fail("user_agent", "does not name a known component and its version");
        return std::unexpected{parameters.refusal()};
    }
    const auto version = Version::parse(agent->version);
    const bool is_usable = version && agent->version.size() <= kMaxVersionCharacters;
    if (!is_usable && request.role != Role::kRelay) {
        parameters.fail("user_agent", "does not carry a semantic version (X.Y.Z) of at most 64 characters");
    }
    // Others are told of it, and it is whatever a device says.
    const LastSeen last_seen{request.user_agent, is_usable ? agent->version : "", request.remote_ip, now};

    const auto report = read_report(request.role, parameters, *token, last_seen, rng, limits);
    if (parameters.has_problems()) {
        return std::unexpected{parameters.refusal()};
    }
    const auto applicant = to_applicant(report);
    // All that can be asked is, before a transaction is begun: all others wait for the one that writes.
    if (auto refusal = admit(*token, applicant)) {
        return std::unexpected{*std::move(refusal)};
    }

    const auto obstacle = std::visit([&](const auto& said) { return storage.find_obstacle(said); }, report);
    if (obstacle) {
        return std::unexpected{refuse(*obstacle)};
    }

    std::expected<Device, RegisterError> device = std::unexpected{RegisterError::kRevoked};
    storage.in_transaction([&] {
        device = store(report, storage, rng);
        if (!device) {
            return;
        }
        storage.record_use(token->id, last_seen);
        const auto record_turn_user = [&](const auto& row) {
            if constexpr (requires { row.public_key; }) {
                storage.put(TurnUser{turn_salt(row.public_key), token->id, row.id.uuid(),
                                     latest_turn_expiry(request.role, now, token->expires_at)});
            }
        };
        std::visit(record_turn_user, *device);
    });
    if (!device) {
        return std::unexpected{refuse(device.error())};
    }
    return Registration{.token = token->id,
                        .expires_at = token->expires_at,
                        .user_agent = request.user_agent,
                        .remote_ip = request.remote_ip,
                        .version = version.value_or(Version{}),
                        .identity = applicant ? std::optional{applicant->identity} : std::nullopt,
                        .device = *std::move(device)};
}

}  // namespace culvert::portal
