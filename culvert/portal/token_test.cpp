#include "culvert/portal/token.h"

#include <string>

#include <gtest/gtest.h>

namespace culvert::portal {
namespace {

// The vector of spec/portal-protocol.md section 13.1.
const TokenKeys kKeys{"example-key-base", "example-salt"};
const AccountId kAccount = *AccountId::parse("7d0c1a52-93f4-4c7e-8f8b-2f6a1e9d4b03");
const TokenId kToken = *TokenId::parse("e2a6b9d4-1f0c-4b7d-9a35-6c8e0d2f7b11");
constexpr std::string_view kSecret = "LELQNATBLELQNATBLELQNATBLELQNATBLELQNATBLELQNATBLELG====";
const WallTime kSignedAt{std::chrono::milliseconds{1'760'000'000'000}};
constexpr std::string_view kFragment =
    ".SFMyNTY.g2gDaANtAAAAJDdkMGMxYTUyLTkzZjQtNGM3ZS04ZjhiLTJmNmExZTlkNGIwM20AAAAkZTJhNmI5ZDQtMWYwYy00YjdkLTlhMzUtNmM4Z"
    "TBkMmY3YjExbQAAADhMRUxRTkFUQkxFTFFOQVRCTEVMUU5BVEJMRUxRTkFUQkxFTFFOQVRCTEVMUU5BVEJMRUxHPT09PW4GAADALMiZAWIAAVGA."
    "J1cvlc32ZgFnXZEnJp1zsSWGwDnIPHLMVo69aOxVR4E";

std::string repeat(std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

TEST(Token, SignsTheVectorOfTheSpecification) {
    EXPECT_EQ(sign_token(TokenType::kClient, kAccount, kToken, kSecret, kSignedAt, kKeys), kFragment);
}

TEST(Token, VerifiesTheVectorOfTheSpecification) {
    const auto claims = verify_token(kFragment, TokenType::kClient, kKeys);

    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->nonce, "");
    EXPECT_EQ(claims->account, kAccount);
    EXPECT_EQ(claims->token, kToken);
    EXPECT_EQ(claims->secret, kSecret);
}

TEST(Token, HashesTheVectorOfTheSpecification) {
    EXPECT_EQ(hash_token_secret(repeat("0f", 32), kSecret, "zc3Nzc3Nzc3Nzc3Nzc3NzQ"),
              "bbe768d4d42fddf9cafdfa37a03dd4beafdd4c8d7b5bfec3bff01926d91c076e");
}

TEST(Token, TakesTheNonceFromTheFront) {
    const auto claims = verify_token(repeat("0f", 32) + std::string{kFragment}, TokenType::kClient, kKeys);

    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->nonce, repeat("0f", 32));
}

TEST(Token, OfAnotherTypeFails) {
    for (const auto type : {TokenType::kGateway, TokenType::kRelay, TokenType::kApi}) {
        EXPECT_FALSE(verify_token(kFragment, type, kKeys));
    }
}

TEST(Token, OfAnotherInstallationFails) {
    EXPECT_FALSE(verify_token(kFragment, TokenType::kClient, {"other-key-base", "example-salt"}));
    EXPECT_FALSE(verify_token(kFragment, TokenType::kClient, {"example-key-base", "other-salt"}));
}

TEST(Token, WithAnyByteChangedOrMissingFails) {
    for (std::size_t i = 1; i < kFragment.size(); ++i) {
        std::string changed{kFragment};
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(verify_token(changed, TokenType::kClient, kKeys)) << "byte " << i;
        EXPECT_FALSE(verify_token(kFragment.substr(0, i), TokenType::kClient, kKeys)) << "length " << i;
    }
}

TEST(Token, WithNonsenseForATokenFails) {
    for (const std::string_view text :
         {"", ".", "..", "...", "....", "abc", "a.b.c.d", ".SFMyNTY..", ".SFMyNTY.gw.AA"}) {
        EXPECT_FALSE(verify_token(text, TokenType::kClient, kKeys)) << text;
    }
    EXPECT_FALSE(verify_token(std::string(129, 'n') + std::string{kFragment}, TokenType::kClient, kKeys));
    EXPECT_FALSE(verify_token(std::string(1'000'000, '.'), TokenType::kClient, kKeys));
}

TEST(Token, OfARelayHasNoAccount) {
    auto rng = Rng::from_number(1);
    const auto created = create_token({.type = TokenType::kRelay}, std::nullopt, kKeys, rng, kSignedAt);

    const auto claims = verify_token(created.text, TokenType::kRelay, kKeys);

    ASSERT_TRUE(claims);
    EXPECT_FALSE(claims->account);
    EXPECT_EQ(claims->token, created.row.id);
    EXPECT_TRUE(secret_matches(*claims, created.row));
}

TEST(Token, CreatedTwiceHasTwoSecrets) {
    auto rng = Rng::from_number(1);
    const TokenOwner owner{.type = TokenType::kClient, .account = kAccount, .actor = ActorId::random(rng)};
    const auto one = create_token(owner, std::nullopt, kKeys, rng, kSignedAt);
    const auto two = create_token(owner, std::nullopt, kKeys, rng, kSignedAt);

    const auto claims = verify_token(one.text, TokenType::kClient, kKeys);

    ASSERT_TRUE(claims);
    EXPECT_TRUE(secret_matches(*claims, one.row));
    EXPECT_FALSE(secret_matches(*claims, two.row));
}

TEST(Token, ExpiresAtItsTimeAndNotBefore) {
    Token token;
    EXPECT_FALSE(token.is_expired(kNever));

    token.expires_at = UnixSeconds{std::chrono::seconds{100}};

    EXPECT_FALSE(token.is_expired(UnixSeconds{std::chrono::seconds{99}}));
    EXPECT_TRUE(token.is_expired(UnixSeconds{std::chrono::seconds{100}}));
}

}  // namespace
}  // namespace culvert::portal
