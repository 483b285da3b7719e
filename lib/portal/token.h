#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/portal/model.h"

/// Tokens as devices hold them: `<nonce>.<header>.<payload>.<signature>`. Source: spec/portal-protocol.md section 13.1.
namespace culvert::portal {

/// Keys the portal generates when its database is created, and keeps there.
struct TokenKeys {
    std::string key_base;
    std::string salt;

    [[nodiscard]] static TokenKeys generate(Rng& rng);
};

/// What a valid signature vouches for; whether the token still exists is for the storage to say.
struct TokenClaims {
    std::string nonce;
    std::optional<AccountId> account;
    TokenId token;
    std::string secret;
};

/// "client", "gateway_group", "relay_group", "api_client".
[[nodiscard]] std::string_view to_string(TokenType type);

/// Checks form and signature. The token's age is not limited.
[[nodiscard]] std::optional<TokenClaims> verify_token(std::string_view token, TokenType type, const TokenKeys& keys);

/// Text that starts with '.'; a machine uses it as its whole token, a browser sign-in puts the nonce in front.
[[nodiscard]] std::string sign_token(TokenType type, const std::optional<AccountId>& account, const TokenId& token,
                                     std::string_view secret, WallTime now, const TokenKeys& keys);

/// Lower-case hexadecimal SHA3-256 of nonce, secret and salt.
[[nodiscard]] std::string hash_token_secret(std::string_view nonce, std::string_view secret,
                                            std::string_view secret_salt);

/// Whether `claims` carry the secret that `token` was created with. Takes the same time wherever they differ.
[[nodiscard]] bool secret_matches(const TokenClaims& claims, const Token& token);

/// A token row and the text that proves possession of it. The text exists only here: it cannot be made again.
struct NewToken {
    Token row;
    std::string text;
};

struct TokenOwner {
    TokenType type = TokenType::kClient;
    std::optional<AccountId> account;
    std::optional<ActorId> actor;
    std::optional<SiteId> site;
};

[[nodiscard]] NewToken create_token(const TokenOwner& owner, std::optional<UnixSeconds> expires_at,
                                    const TokenKeys& keys, Rng& rng, WallTime now);

}  // namespace culvert::portal
