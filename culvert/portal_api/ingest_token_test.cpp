#include "culvert/portal_api/ingest_token.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/base/base64.h"
#include "culvert/base/rng.h"
#include "culvert/crypto/hmac.h"

namespace culvert::portal_api {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

/// The example of spec/newer-dialect.md section 10.
constexpr std::string_view kExample =
    "eyJhbGciOiJIUzI1NiJ9."
    "eyJhY2NvdW50X2lkIjoiMGM3ZDFmNWUtOWEzNC00YjgyLThlNjAtN2YyYjNkOWMxYTQ1IiwiaWF0IjoxNzg3MzkzNzAyLCJleHAiOjE3OTA4MTI4MD"
    "AsInVwbG9hZHNfZW5hYmxlZCI6ZmFsc2UsInJvbGUiOiJpbml0aWF0b3IiLCJpbml0aWF0b3JfZGV2aWNlX2lkIjoiM2Y5ZjJiMWUtNmMwZC00YTU1"
    "LTlkMWMtMGI4YTdmNGUyZDEwIiwicmVzcG9uZGVyX2RldmljZV9pZCI6ImI1MWQ3YzNhLTJlODQtNGYwYi04YTZlLTkxYzRkMmY3MGUzNSIsInBvbG"
    "ljeV9hdXRob3JpemF0aW9uX2lkIjoiZDRlOWEwYjctNWMxMy00ZjI4LTliNmQtMWE3ZTNjOGYyMDY1IiwicG9saWN5X2lkIjoiNzFjNWU4ZjMtMGQy"
    "YS00Yjk2LWE0N2UtNWY5YjFkM2M2ZTgwIiwicmVzb3VyY2VfaWQiOiIyYzhiOWYxMC00ZDNlLTRhNmItOWYyMS03ZTVhMGMxZDNiNDYiLCJyZXNvdX"
    "JjZV9uYW1lIjoiR2l0IiwiaW5pdGlhdG9yX2FjdG9yX2lkIjoiMWQ1YjhlNDAtN2MyZi00YTkzLWI2ZTEtOWYwYTNjOGQyNzU2IiwiaW5pdGlhdG9y"
    "X2FjdG9yX25hbWUiOiJLaW0gRG9lIiwiYXV0aG9yaXplZF9hdCI6IjIwMjYtMDgtMjJUMTA6MTU6MDJaIiwiYXV0aG9yaXphdGlvbl9leHBpcmVzX2"
    "F0IjoiMjAyNi0wOS0wMVQwMDowMDowMFoifQ.c2lnbmF0dXJl";

constexpr UnixSeconds kExpiry{1'790'812'800s};
constexpr UnixSeconds kNow = kExpiry - 1s;

std::string encode(std::string_view text) {
    return to_base64(as_bytes(text), Base64::kUrlNoPadding);
}

class IngestToken : public testing::Test {
protected:
    IngestToken() {
        claims_.uploads_enabled = true;
        claims_.role = FlowRole::kResponder;
        claims_.resource_address = "**.git.corp.example";
        claims_.initiator_actor_email = "kim@example.com";
        claims_.initiator_device_serial = "PF2XYZ";
    }

    /// A token with that header and payload, signed as HS256 would.
    [[nodiscard]] std::string sign(std::string_view header, std::string_view payload) const {
        const auto text = encode(header) + "." + encode(payload);
        return text + "." + to_base64(crypto::hmac_sha256(key_.reveal(), {as_bytes(text)}), Base64::kUrlNoPadding);
    }
    [[nodiscard]] json::object payload() const {
        const auto token = sign_ingest_token(claims_, key_);
        const auto begin = token.find('.') + 1;
        const auto bytes = from_base64(token.substr(begin, token.rfind('.') - begin), Base64::kUrlNoPadding);
        return json::parse(std::string{as_text(*bytes)}).as_object();
    }
    [[nodiscard]] std::expected<IngestClaims, IngestTokenError> verify(std::string_view token) const {
        return verify_ingest_token(token, key_, kNow);
    }
    [[nodiscard]] bool is_malformed(std::string_view token) const {
        return decode_ingest_token(token) == std::unexpected{IngestTokenError::kMalformed} &&
               verify(token) == std::unexpected{IngestTokenError::kMalformed};
    }

    Rng rng_ = Rng::from_number(3);
    IngestKey key_ = IngestKey::random(rng_);
    IngestClaims claims_ = *decode_ingest_token(kExample);
};

TEST_F(IngestToken, OfTheSpecificationIsUnderstood) {
    const auto claims = decode_ingest_token(kExample);
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->account.to_string(), "0c7d1f5e-9a34-4b82-8e60-7f2b3d9c1a45");
    EXPECT_EQ(claims->issued_at, UnixSeconds{1'787'393'702s});
    EXPECT_EQ(claims->expires_at, kExpiry);
    EXPECT_FALSE(claims->uploads_enabled);
    EXPECT_EQ(claims->role, FlowRole::kInitiator);
    EXPECT_EQ(claims->initiator_device.to_string(), "3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
    EXPECT_EQ(claims->responder_device.to_string(), "b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35");
    EXPECT_EQ(claims->policy_authorization.to_string(), "d4e9a0b7-5c13-4f28-9b6d-1a7e3c8f2065");
    EXPECT_EQ(claims->policy.to_string(), "71c5e8f3-0d2a-4b96-a47e-5f9b1d3c6e80");
    EXPECT_EQ(claims->resource.to_string(), "2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46");
    EXPECT_EQ(claims->resource_name, "Git");
    EXPECT_EQ(claims->initiator_actor.to_string(), "1d5b8e40-7c2f-4a93-b6e1-9f0a3c8d2756");
    EXPECT_EQ(claims->initiator_actor_name, "Kim Doe");
    EXPECT_EQ(claims->authorized_at, "2026-08-22T10:15:02Z");
    EXPECT_EQ(claims->authorization_expires_at, "2026-09-01T00:00:00Z");
    EXPECT_FALSE(claims->resource_address);
}

TEST_F(IngestToken, IsReadAsItWasSigned) {
    const auto token = sign_ingest_token(claims_, key_);
    EXPECT_EQ(verify(token), claims_);
    EXPECT_EQ(decode_ingest_token(token), claims_);
    EXPECT_TRUE(token.starts_with("eyJhbGciOiJIUzI1NiJ9.")) << "the header is {\"alg\":\"HS256\"}";
    EXPECT_FALSE(payload().contains("initiator_device_uuid")) << "what is absent is left out";
}

TEST_F(IngestToken, IsRefusedUnlessThePortalSignedIt) {
    const auto token = sign_ingest_token(claims_, key_);
    EXPECT_EQ(verify(kExample), std::unexpected{IngestTokenError::kBadSignature});
    EXPECT_EQ(verify_ingest_token(token, IngestKey::random(rng_), kNow),
              std::unexpected{IngestTokenError::kBadSignature})
        << "of another account";
    claims_.role = FlowRole::kInitiator;
    const auto other = sign_ingest_token(claims_, key_);
    EXPECT_EQ(verify(other.substr(0, other.rfind('.')) + token.substr(token.rfind('.'))),
              std::unexpected{IngestTokenError::kBadSignature});
    EXPECT_EQ(verify(token.substr(0, token.rfind('.') + 21)), std::unexpected{IngestTokenError::kBadSignature})
        << "half a signature";
}

TEST_F(IngestToken, EndsWithItsTime) {
    const auto token = sign_ingest_token(claims_, key_);
    EXPECT_TRUE(verify_ingest_token(token, key_, kExpiry - 1s));
    EXPECT_EQ(verify_ingest_token(token, key_, kExpiry), std::unexpected{IngestTokenError::kExpired});
    EXPECT_TRUE(decode_ingest_token(token)) << "devices look at the time themselves";
}

TEST_F(IngestToken, HasOneAlgorithm) {
    const auto text = json::serialize(payload());
    EXPECT_TRUE(verify(sign(R"({"alg":"HS256","typ":"JWT"})", text)));
    for (const auto* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"hs256"})", R"({"alg":"HS512"})",
                               R"({"alg":"RS256"})", R"({"alg":["HS256"]})", R"({"alg":null})", "{}", "[]", "\"HS256\"",
                               "", "{", R"({"alg":"HS256"}})", R"({"alg":"HS256","crit":["exp"]})"}) {
        EXPECT_TRUE(is_malformed(sign(header, text))) << header;
    }
    const auto unsigned_token = encode(R"({"alg":"none"})") + "." + encode(text) + ".";
    EXPECT_TRUE(is_malformed(unsigned_token));
    EXPECT_TRUE(is_malformed(encode(R"({"alg":"HS256"})") + "." + encode(text) + ".")) << "no signature";
}

TEST_F(IngestToken, HasThreeSegmentsOfStrictBase64) {
    const auto token = sign_ingest_token(claims_, key_);
    const auto first = token.find('.');
    const auto second = token.rfind('.');
    EXPECT_TRUE(is_malformed(""));
    EXPECT_TRUE(is_malformed(".."));
    EXPECT_TRUE(is_malformed(token.substr(0, second)));
    EXPECT_TRUE(is_malformed(token + ".c2ln"));
    EXPECT_TRUE(is_malformed(token.substr(first)));
    EXPECT_TRUE(is_malformed(token.substr(0, first) + "=" + token.substr(first)));
    for (const auto* foreign : {"=", "+", "/", " "}) {
        const auto other = token.substr(0, second) + foreign + token.substr(second);
        EXPECT_EQ(decode_ingest_token(other), std::unexpected{IngestTokenError::kMalformed}) << foreign;
        EXPECT_FALSE(verify(other)) << foreign;
    }
    EXPECT_TRUE(is_malformed(" " + token));
    EXPECT_EQ(verify(token + "="), std::unexpected{IngestTokenError::kMalformed});
    EXPECT_EQ(verify(token + "\n"), std::unexpected{IngestTokenError::kMalformed});
    EXPECT_TRUE(is_malformed(std::string(kMaxIngestToken, 'e') + token));
}

TEST_F(IngestToken, HasEachClaimInItsType) {
    const std::string header = R"({"alg":"HS256"})";
    for (const auto& [key, value] : payload()) {
        auto other = payload();
        const bool is_optional =
            key == "resource_address" || key == "initiator_actor_email" || key == "initiator_device_serial";
        other.erase(key);
        EXPECT_EQ(is_malformed(sign(header, json::serialize(other))), !is_optional) << key;
        other[key] = nullptr;
        EXPECT_EQ(is_malformed(sign(header, json::serialize(other))), !is_optional) << key;
        other[key] = value.is_string() ? json::value(1) : json::value("1");
        EXPECT_TRUE(is_malformed(sign(header, json::serialize(other)))) << key;
        other[key] = json::array{value};
        EXPECT_TRUE(is_malformed(sign(header, json::serialize(other)))) << key;
    }
    auto other = payload();
    other["role"] = "observer";
    EXPECT_TRUE(is_malformed(sign(header, json::serialize(other))));
    other = payload();
    other["exp"] = 1.5;
    EXPECT_TRUE(is_malformed(sign(header, json::serialize(other))));
    other = payload();
    other["policy_authorization_id"] = "../../etc";
    EXPECT_TRUE(is_malformed(sign(header, json::serialize(other)))) << "it names a folder";
    other = payload();
    other["something_new"] = json::array{1, 2};
    EXPECT_EQ(verify(sign(header, json::serialize(other))), claims_) << "is of no concern";
    EXPECT_TRUE(is_malformed(sign(header, "[" + json::serialize(payload()) + "]")));
}

TEST_F(IngestToken, FitsIntoAHeaderWhateverThingsAreCalled) {
    claims_.resource_name = std::string(255, 'x') + "\u00e9\u00e9";
    claims_.initiator_actor_name.assign(5000, 'y');
    claims_.initiator_actor_email = claims_.initiator_device_serial = claims_.initiator_device_uuid =
        claims_.initiator_client_version = claims_.initiator_device_os_name = claims_.initiator_device_os_version =
            claims_.initiator_device_identifier_for_vendor = claims_.initiator_device_firebase_installation_id =
                std::string(1000, 'z');
    const auto token = sign_ingest_token(claims_, key_);
    EXPECT_LT(token.size(), 6000U);
    const auto claims = verify(token);
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->resource_name, std::string(255, 'x')) << "no half a character";
    EXPECT_EQ(claims->initiator_actor_name.size(), 256U);
}

}  // namespace
}  // namespace culvert::portal_api
