#include "culvert/sign_in/app_request.h"

#include <map>

#include <gtest/gtest.h>

namespace culvert::sign_in {
namespace {

using Query = std::map<std::string, std::string, std::less<>>;

std::expected<AppRequest, std::string> parse(const Query& query) {
    return AppRequest::parse([&](std::string_view name) {
        const auto found = query.find(name);
        return found == query.end() ? nullptr : &found->second;
    });
}

TEST(AppRequest, TakesWhatAppsOfAllGenerationsSend) {
    for (const std::string as : {"client", "gui-client"}) {
        const auto request = parse({{"as", as}, {"state", std::string(64, 'a')}, {"nonce", std::string(64, '0')}});
        ASSERT_TRUE(request) << request.error();
        EXPECT_EQ(request->to_query(),
                  "as=" + as + "&state=" + std::string(64, 'a') + "&nonce=" + std::string(64, '0'));
        EXPECT_FALSE(request->is_headless());
    }
}

TEST(AppRequest, NeedsNeitherStateNorNonceWithoutAScreen) {
    const auto request = parse({{"as", "headless-client"}, {"nonce", "ignored"}});

    ASSERT_TRUE(request);
    EXPECT_TRUE(request->is_headless());
    EXPECT_EQ(request->nonce, "");
    EXPECT_EQ(request->to_query(), "as=headless-client");
}

TEST(AppRequest, RefusesWhatCannotBeBroughtBack) {
    EXPECT_FALSE(parse({}));
    EXPECT_FALSE(parse({{"as", "browser"}, {"state", "s"}, {"nonce", "n"}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", "s"}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", ""}, {"nonce", "n"}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", "s"}, {"nonce", ""}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", "s"}, {"nonce", "a.b"}}))
        << "a token's nonce ends at its first dot";
    EXPECT_FALSE(parse({{"as", "client"}, {"state", "s&fragment=x"}, {"nonce", "n"}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", "s\r\nSet-Cookie: x"}, {"nonce", "n"}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", "s"}, {"nonce", std::string(129, 'n')}}));
    EXPECT_FALSE(parse({{"as", "client"}, {"state", std::string(257, 's')}, {"nonce", "n"}}));
}

TEST(DeepLink, IsWhatAppsListenTo) {
    const DeepLink link{.account_name = "Acme & Söhne",
                        .account_slug = "acme",
                        .actor_name = "Jo +1",
                        .fragment = ".SFMyNTY.g2-_.x",
                        .identifier = "jo@example.com",
                        .state = "0f"};

    EXPECT_EQ(link.to_uri(),
              "firezone-fd0020211111://handle_client_sign_in_callback?account_name=Acme%20%26%20S%C3%B6hne"
              "&account_slug=acme&actor_name=Jo%20%2B1&fragment=.SFMyNTY.g2-_.x"
              "&identity_provider_identifier=jo%40example.com&state=0f");
}

TEST(DeepLink, SignsOutByAnotherScheme) {
    EXPECT_EQ(sign_out_uri("0f"), "firezone://handle_client_sign_out_callback?state=0f");
    EXPECT_EQ(sign_out_uri(""), std::nullopt);
    EXPECT_EQ(sign_out_uri("a\nb"), std::nullopt);
}

}  // namespace
}  // namespace culvert::sign_in
