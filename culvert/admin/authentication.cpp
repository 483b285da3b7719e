#include "culvert/admin/authentication.h"

#include <algorithm>

#include "culvert/admin/problem.h"
#include "culvert/base/base64.h"
#include "culvert/crypto/hash.h"
#include "culvert/crypto/secret.h"
#include "culvert/net/ip_network.h"
#include "culvert/portal/base32.h"
#include "culvert/portal/token.h"

namespace culvert::admin {
namespace {

constexpr std::string_view kCookieName = "culvert_session";
constexpr std::string_view kBearer = "Bearer ";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretCharacters = 43;

ApiProblem invalid_token() {
    return {401, "invalid_token", "This token is not valid, or not one for this API."};
}

/// An address, or the network of one customer.
std::string place_of(const net::IpAddress& address) {
    return address.is_v4() ? address.to_string() : net::IpNetwork{address, kV6PlaceLength}.to_string();
}

std::string lower(std::string_view text) {
    std::string small{text};
    std::ranges::transform(small, small.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return small;
}

/// As it is compared: Base32 without what people write between.
std::string plain_code(std::string_view code) {
    std::string plain;
    for (const char c : lower(code)) {
        if (c != '-' && c != ' ') {
            plain += c;
        }
    }
    return plain;
}

std::string new_setup_code(Rng& rng) {
    const auto text = portal::to_base32_lower(rng.array<kSetupCodeBytes>());
    std::string code;
    for (std::size_t i = 0; i < text.size(); ++i) {
        code += (i > 0 && i % 4 == 0 ? "-" : "") + std::string{text[i]};
    }
    return code;
}

}  // namespace

Authenticator::Authenticator(portal::Storage& storage, Surroundings& surroundings, Rng rng)
    : storage_{storage},
      surroundings_{surroundings},
      rng_{std::move(rng)},
      keys_{storage.token_keys()},
      setup_code_{new_setup_code(rng_)} {}

Requester Authenticator::identify(const ApiRequest& request, Instant, UnixSeconds wall_now) {
    const std::string_view authorization = request.authorization;
    if (!authorization.empty()) {
        if (!authorization.starts_with(kBearer)) {
            throw invalid_token();
        }
        return identify_program(authorization.substr(kBearer.size()), request, wall_now);
    }
    const auto secret = secret_in(request.cookie);
    return secret.empty() ? Requester{} : identify_browser(secret, wall_now);
}

Requester Authenticator::identify_program(std::string_view text, const ApiRequest& request, UnixSeconds wall_now) {
    const auto claims = portal::verify_token(text, portal::TokenType::kApi, keys_);
    const auto token = claims ? storage_.find_token(claims->token) : std::nullopt;
    if (!token || token->type != portal::TokenType::kApi || !portal::secret_matches(*claims, *token) ||
        token->is_expired(wall_now) || !token->actor) {
        throw invalid_token();
    }
    const auto& actors = surroundings_.directory().actors;
    const auto actor = actors.find(*token->actor);
    if (actor == actors.end() || actor->second.type != portal::ActorType::kApiClient) {
        throw invalid_token();
    }
    if (actor->second.is_disabled) {
        throw invalid_token();
    }
    if (recorded_.size() > kMaxThrottled) {
        recorded_.clear();
    }
    if (auto& at = recorded_[token->id]; at == UnixSeconds{} || at + kTokenUseAge <= wall_now) {
        at = wall_now;
        storage_.record_use(token->id, {request.user_agent, "", request.remote_ip, wall_now});
    }
    return {.kind = Requester::Kind::kProgram,
            .actor = *token->actor,
            .name = actor->second.name,
            .email = actor->second.email,
            .expires_at = token->expires_at.value_or(portal::kNever)};
}

Requester Authenticator::identify_browser(std::string_view secret, UnixSeconds wall_now) {
    const auto session = storage_.find_browser_session(hash_of(secret));
    if (!session || session->expires_at <= wall_now) {
        return {};
    }
    const auto& actors = surroundings_.directory().actors;
    const auto actor = actors.find(session->actor);
    if (actor == actors.end() || actor->second.type != portal::ActorType::kAdminUser) {
        return {};
    }
    if (actor->second.is_disabled) {
        return {};
    }
    return {.kind = Requester::Kind::kAdministrator,
            .actor = session->actor,
            .name = actor->second.name,
            .email = actor->second.email,
            .secret_hash = session->secret_hash,
            .csrf_token = csrf_token_of(secret),
            .expires_at = session->expires_at};
}

NewSession Authenticator::new_session(const portal::ActorId& actor, UnixSeconds wall_now) {
    NewSession session;
    session.secret = to_base64(rng_.array<kSecretBytes>(), Base64::kUrlNoPadding);
    session.row = {hash_of(session.secret), actor, wall_now, wall_now + kSessionLifetime};
    return session;
}

std::string Authenticator::csrf_token_of(std::string_view secret) {
    return to_base64(crypto::sha256({as_bytes("csrf token of "), as_bytes(secret)}), Base64::kUrlNoPadding);
}

std::string Authenticator::hash_of(std::string_view secret) {
    return to_base64(crypto::sha256(as_bytes(secret)), Base64::kUrlNoPadding);
}

std::string_view Authenticator::secret_in(std::string_view cookie) {
    while (!cookie.empty()) {
        auto pair = cookie.substr(0, cookie.find(';'));
        cookie.remove_prefix(std::min(cookie.size(), pair.size() + 1));
        pair.remove_prefix(std::min(pair.size(), pair.find_first_not_of(' ')));
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == kCookieName &&
            pair.size() - equals - 1 == kSecretCharacters) {
            return pair.substr(equals + 1);
        }
    }
    return {};
}

std::string Authenticator::cookie_with(std::string_view secret, bool is_https) {
    const auto lifetime = secret.empty() ? std::chrono::seconds{0} : kSessionLifetime;
    return std::string{kCookieName} + "=" + std::string{secret} +
           "; Path=/; HttpOnly; SameSite=Lax; Max-Age=" + std::to_string(lifetime.count()) +
           (is_https ? "; Secure" : "");
}

void Authenticator::count_sign_in(const net::IpAddress& from, std::string_view email, Instant now) {
    if (const auto wait = places_.take(place_of(from), now)) {
        throw too_many(*wait);
    }
    // A hash, so that what is remembered is short, whatever is sent.
    const auto account = to_base64(crypto::sha256(as_bytes(lower(email))));
    if (const auto wait = accounts_.take(account, now)) {
        throw too_many(*wait);
    }
}

void Authenticator::count_setup(Instant now) {
    if (const auto wait = setups_.take("", now)) {
        throw too_many(*wait);
    }
}

void Authenticator::count_request(const Requester& subject, Instant now) {
    if (requests_.size() > kMaxThrottled) {
        std::erase_if(requests_, [&](const auto& entry) { return entry.second.is_full(now); });
    }
    if (!requests_[subject.actor.uuid()].take(kRequests, now)) {
        throw too_many(std::chrono::seconds{1});
    }
}

bool Authenticator::needs_setup() {
    if (storage_.can_administrator_sign_in()) {
        return false;
    }
    if (!std::exchange(is_setup_code_told_, true)) {
        surroundings_.tell_setup_code(setup_code_);
    }
    return true;
}

bool Authenticator::is_setup_code(std::string_view code) const {
    // Hashes, which have one length.
    return crypto::equal_constant_time(crypto::sha256(as_bytes(plain_code(code))),
                                       crypto::sha256(as_bytes(plain_code(setup_code_))));
}

void Authenticator::renew_setup_code() {
    setup_code_ = new_setup_code(rng_);
    is_setup_code_told_ = false;
}

}  // namespace culvert::admin
