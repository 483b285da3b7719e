#include "culvert/portal/token.h"

#include <algorithm>

#include "culvert/base/base64.h"
#include "culvert/crypto/hash.h"
#include "culvert/crypto/hmac.h"
#include "culvert/crypto/pbkdf2.h"
#include "culvert/portal/base32.h"

namespace culvert::portal {
namespace {

constexpr std::string_view kHeader = "SFMyNTY";
constexpr std::size_t kMaxNonce = 128;
constexpr std::size_t kMaxToken = 4096;
constexpr unsigned kKeyIterations = 1000;

// Erlang external term format (erlang.org/doc/apps/erts/erl_ext_dist), just the shapes a token has.
constexpr std::byte kTermVersion{0x83};
constexpr std::byte kSmallTuple{0x68};
constexpr std::byte kBinary{0x6d};
constexpr std::byte kSmallBigInteger{0x6e};
constexpr std::byte kInteger{0x62};
constexpr std::byte kSmallAtomUtf8{0x77};
constexpr std::uint32_t kEmbeddedMaxAge = 86'400;

void append_binary(Bytes& out, std::string_view text) {
    out.push_back(kBinary);
    append_be(out, static_cast<std::uint32_t>(text.size()));
    append(out, as_bytes(text));
}

void append_tuple(Bytes& out, std::uint8_t arity) {
    out.push_back(kSmallTuple);
    out.push_back(std::byte{arity});
}

void append_nil(Bytes& out) {
    out.push_back(kSmallAtomUtf8);
    out.push_back(std::byte{3});
    append(out, as_bytes("nil"));
}

void append_milliseconds(Bytes& out, WallTime time) {
    auto milliseconds = static_cast<std::uint64_t>(time.time_since_epoch().count());
    out.push_back(kSmallBigInteger);
    out.push_back(std::byte{6});
    out.push_back(std::byte{0});  // sign
    for (int i = 0; i < 6; ++i) {
        out.push_back(static_cast<std::byte>(milliseconds & 0xff));
        milliseconds >>= 8;
    }
}

/// Reads what append_...() wrote; any other shape fails.
class TermReader {
public:
    explicit TermReader(ByteSpan bytes) : rest_{bytes} {}

    bool take(std::byte expected) {
        if (rest_.empty() || rest_.front() != expected) {
            return false;
        }
        rest_ = rest_.subspan(1);
        return true;
    }
    bool take_tuple(std::uint8_t arity) { return take(kSmallTuple) && take(std::byte{arity}); }

    std::optional<std::string> take_binary() {
        if (!take(kBinary) || rest_.size() < 4) {
            return std::nullopt;
        }
        const auto size = load_be<std::uint32_t>(rest_);
        rest_ = rest_.subspan(4);
        if (rest_.size() < size) {
            return std::nullopt;
        }
        std::string text{as_text(rest_.first(size))};
        rest_ = rest_.subspan(size);
        return text;
    }

    bool take_nil() {
        if (rest_.size() < 5 || rest_[0] != kSmallAtomUtf8 || rest_[1] != std::byte{3} ||
            as_text(rest_.subspan(2, 3)) != "nil") {
            return false;
        }
        rest_ = rest_.subspan(5);
        return true;
    }

private:
    ByteSpan rest_;
};

/// The signature covers the payload, so only what identifies the token is read out of it.
std::optional<TokenClaims> read_payload(ByteSpan payload) {
    TermReader reader{payload};
    if (!reader.take(kTermVersion) || !reader.take_tuple(3) || !reader.take_tuple(3)) {
        return std::nullopt;
    }
    TokenClaims claims;
    if (!reader.take_nil()) {
        const auto account = reader.take_binary();
        claims.account = account ? AccountId::parse(*account) : std::nullopt;
        if (!claims.account) {
            return std::nullopt;
        }
    }
    const auto token = reader.take_binary();
    const auto token_id = token ? TokenId::parse(*token) : std::nullopt;
    auto secret = reader.take_binary();
    if (!token_id || !secret) {
        return std::nullopt;
    }
    claims.token = *token_id;
    claims.secret = std::move(*secret);
    return claims;
}

}  // namespace

TokenKeys TokenKeys::generate(Rng& rng) {
    TokenKeys keys;
    keys.key_base = to_base64(rng.array<48>(), Base64::kUrlNoPadding);
    keys.salt = to_base64(rng.array<24>(), Base64::kUrlNoPadding);
    return keys;
}

const crypto::Secret<32>& TokenKeys::signing_key(TokenType type) const {
    auto& key = derived_.at(static_cast<std::size_t>(type));
    if (!key) {
        const auto salted = salt + std::string{to_string(type)};
        const auto bytes = crypto::pbkdf2_hmac_sha256(as_bytes(key_base), as_bytes(salted), kKeyIterations, 32);
        std::ranges::copy(bytes, key.emplace().reveal().begin());
    }
    return *key;
}

std::string_view to_string(TokenType type) {
    switch (type) {
        case TokenType::kClient:
            return "client";
        case TokenType::kGateway:
            return "gateway_group";
        case TokenType::kRelay:
            return "relay_group";
        case TokenType::kApi:
            return "api_client";
    }
    return "";
}

std::optional<TokenClaims> verify_token(std::string_view token, TokenType type, const TokenKeys& keys) {
    if (token.size() > kMaxToken) {
        return std::nullopt;
    }
    const auto nonce_end = token.find('.');
    if (nonce_end == std::string_view::npos || nonce_end > kMaxNonce) {
        return std::nullopt;
    }
    const auto signed_text = token.substr(nonce_end + 1);
    const auto header_end = signed_text.find('.');
    const auto payload_end = signed_text.rfind('.');
    if (header_end == std::string_view::npos || payload_end <= header_end ||
        signed_text.substr(0, header_end) != kHeader) {
        return std::nullopt;
    }
    const auto signature = from_base64(signed_text.substr(payload_end + 1), Base64::kUrlNoPadding);
    const auto payload =
        from_base64(signed_text.substr(header_end + 1, payload_end - header_end - 1), Base64::kUrlNoPadding);
    if (!signature || !payload) {
        return std::nullopt;
    }
    const auto expected =
        crypto::hmac_sha256(keys.signing_key(type).reveal(), {as_bytes(signed_text.substr(0, payload_end))});
    if (!crypto::equal_constant_time(*signature, expected)) {
        return std::nullopt;
    }
    auto claims = read_payload(*payload);
    if (claims) {
        claims->nonce = token.substr(0, nonce_end);
    }
    return claims;
}

std::string sign_token(TokenType type, const std::optional<AccountId>& account, const TokenId& token,
                       std::string_view secret, WallTime now, const TokenKeys& keys) {
    Bytes payload;
    payload.push_back(kTermVersion);
    append_tuple(payload, 3);
    append_tuple(payload, 3);
    if (account) {
        append_binary(payload, account->to_string());
    } else {
        append_nil(payload);
    }
    append_binary(payload, token.to_string());
    append_binary(payload, secret);
    append_milliseconds(payload, now);
    payload.push_back(kInteger);
    append_be(payload, kEmbeddedMaxAge);

    const auto text = std::string{kHeader} + "." + to_base64(payload, Base64::kUrlNoPadding);
    const auto signature = crypto::hmac_sha256(keys.signing_key(type).reveal(), {as_bytes(text)});
    return "." + text + "." + to_base64(signature, Base64::kUrlNoPadding);
}

std::string hash_token_secret(std::string_view nonce, std::string_view secret, std::string_view secret_salt) {
    const auto text = std::string{nonce} + std::string{secret} + std::string{secret_salt};
    return to_hex(crypto::sha3_256(as_bytes(text)));
}

bool secret_matches(const TokenClaims& claims, const Token& token) {
    const auto hash = hash_token_secret(claims.nonce, claims.secret, token.secret_salt);
    return crypto::equal_constant_time(as_bytes(hash), as_bytes(token.secret_hash));
}

NewToken create_token(const TokenOwner& owner, std::optional<UnixSeconds> expires_at, const TokenKeys& keys, Rng& rng,
                      WallTime now, std::string_view nonce) {
    const auto secret = to_base32(rng.array<32>());
    Token row{.id = TokenId::random(rng),
              .type = owner.type,
              .account = owner.account,
              .actor = owner.actor,
              .site = owner.site,
              .secret_salt = to_base64(rng.array<16>(), Base64::kUrlNoPadding),
              .secret_hash = {},
              .expires_at = expires_at};
    row.secret_hash = hash_token_secret(nonce, secret, row.secret_salt);
    auto text = sign_token(owner.type, owner.account, row.id, secret, now, keys);
    return {std::move(row), std::move(text)};
}

}  // namespace culvert::portal
