#include "culvert/portal_api/refusal_body.h"

#include <gtest/gtest.h>

namespace culvert::portal_api {
namespace {

TEST(RefusalBody, HasACodeAndAText) {
    EXPECT_EQ(
        parse_refusal_body(R"({"type":"about:blank","title":"Unauthorized","status":401,"detail":"Token is invalid or)"
                           R"( expired","code":"invalid_token"})"),
        (RefusalBody{.code = "invalid_token", .detail = "Token is invalid or expired"}));
    EXPECT_EQ(parse_refusal_body(R"({"title":"Conflict","new":{"a":[1]},"code":"x"})"),
              (RefusalBody{.code = "x", .detail = "Conflict"}));
    EXPECT_EQ(parse_refusal_body(R"({"detail":"busy","code":null})"), (RefusalBody{.code = "", .detail = "busy"}));
}

TEST(RefusalBody, IsNotWhatOthersSay) {
    for (const auto* body : {"", "Invalid token", "<html></html>", "[]", "null", "{}", R"({"error":"no"})",
                             R"({"code":401,"detail":{}})", R"({"code":"invalid_token")"}) {
        EXPECT_EQ(parse_refusal_body(body), std::nullopt) << body;
    }
    EXPECT_EQ(parse_refusal_body(R"({"code":"invalid_token","a":")" + std::string(100'000, 'x') + "\"}"), std::nullopt);
}

}  // namespace
}  // namespace culvert::portal_api
