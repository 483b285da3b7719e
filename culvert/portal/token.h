#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/crypto/secret.h"
#include "culvert/portal/model.h"

/// Tokens as devices hold them: `<nonce>.<header>.<payload>.<signature>`. Source: spec/portal-protocol.md section 13.1.
namespace culvert::portal {

/// Keys the portal generates when its database is created, and keeps there. Not thread-safe: each owner has a copy.
struct TokenKeys {
    TokenKeys() = default;
    TokenKeys(std::string base, std::string salt_text) : key_base{std::move(base)}, salt{std::move(salt_text)} {}
    [[nodiscard]] static TokenKeys generate(Rng& rng);

    std::string key_base;
    std::string salt;

    /// What tokens of a type are signed with. Derived once, because that takes a thousand hashes, which strangers must
    /// not be able to ask for with every attempt to connect.
    [[nodiscard]] const crypto::Secret<32>& signing_key(TokenType type) const;

private:
    static constexpr std::size_t kTypes = 4;
    mutable std::array<std::optional<crypto::Secret<32>>, kTypes> derived_;
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

/// With a `nonce` the text is worth something only behind it, which whoever gave it has to put there.
[[nodiscard]] NewToken create_token(const TokenOwner& owner, std::optional<UnixSeconds> expires_at,
                                    const TokenKeys& keys, Rng& rng, WallTime now, std::string_view nonce = "");

}  // namespace culvert::portal
