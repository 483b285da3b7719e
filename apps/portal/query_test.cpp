#include "apps/portal/query.h"

#include <gtest/gtest.h>

#include "apps/portal/options.h"

namespace culvert::portal_server {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Target, IsSplitAndDecoded) {
    const auto target = parse_target("/client/websocket?token=.a%2Bb&name=my+lap%20top&empty=&flag&&a=b=c#x");

    ASSERT_TRUE(target);
    EXPECT_EQ(target->path, "/client/websocket");
    EXPECT_EQ(target->parameters,
              (Pairs{{"token", ".a+b"}, {"name", "my lap top"}, {"empty", ""}, {"flag", ""}, {"a", "b=c"}}));
}

TEST(Target, MayHaveNoQuery) {
    EXPECT_EQ(parse_target("/healthz")->path, "/healthz");
    EXPECT_TRUE(parse_target("/healthz?")->parameters.empty());
}

TEST(Target, WithABrokenEscapeIsRefused) {
    for (const auto* text : {"/?a=%", "/?a=%2", "/?a=%zz", "/?%=a"}) {
        EXPECT_FALSE(parse_target(text)) << text;
    }
}

TEST(Target, TakesOnlyCleanText) {
    for (const auto* text : {"%c3%bc", "%e2%82%ac", "%f0%9f%98%80", "%ed%9f%bf", "%f4%8f%bf%bf"}) {
        EXPECT_TRUE(parse_target(std::string{"/?a="} + text)) << text;
    }
    for (const auto* text : {"%00", "%ff", "%c3", "%c3x", "%c0%af", "%e0%80%af", "%ed%a0%80", "%f4%90%80%80",
                             "%f0%80%80%af", "%80", "%f5%80%80%80"}) {
        EXPECT_FALSE(parse_target(std::string{"/?a="} + text)) << text;
    }
}

TEST(UserAgentText, IsReducedToAscii) {
    EXPECT_EQ(printable_ascii("a\x01\xc3\xbc~ b"), "a???~ b");
}

TEST(Duration, HasAUnit) {
    EXPECT_EQ(parse_duration("45s"), std::chrono::seconds{45});
    EXPECT_EQ(parse_duration("10m"), std::chrono::minutes{10});
    EXPECT_EQ(parse_duration("12h"), std::chrono::hours{12});
    EXPECT_EQ(parse_duration("365d"), std::chrono::hours{365 * 24});
    for (const auto* text :
         {"", "5", "s", "0s", "-1s", "5 s", "5w", "1.5h", "99999999999999999999s", "9223372036854775807d"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(DatabaseUrl, NamesAFile) {
    EXPECT_EQ(parse_database_url("sqlite:/var/lib/culvert/portal.db"), "/var/lib/culvert/portal.db");
    EXPECT_EQ(parse_database_url("sqlite:///var/lib/culvert/portal.db"), "/var/lib/culvert/portal.db");
    EXPECT_EQ(parse_database_url("sqlite:portal.db"), "portal.db");
    EXPECT_FALSE(parse_database_url("sqlite:"));
    EXPECT_FALSE(parse_database_url("/var/lib/culvert/portal.db"));
    EXPECT_FALSE(parse_database_url(""));
    EXPECT_NE(parse_database_url("postgresql://h/db").error().find("not supported by this build yet"),
              std::string::npos);
}

TEST(HeaderToken, CountsMoreThanOneInTheQuery) {
    const Pairs given{{"token", "query"}, {"name", "n"}};
    EXPECT_EQ(with_header_token(given, ""), given);
    EXPECT_EQ(with_header_token(given, "Bearer header"), (Pairs{{"name", "n"}, {"token", "header"}}));
    EXPECT_EQ(with_header_token({}, "Bearer header"), (Pairs{{"token", "header"}}));
    EXPECT_EQ(with_header_token(given, "Bearer "), (Pairs{{"name", "n"}, {"token", ""}}));
    for (const auto* other : {"Basic header", "bearer header", "Bearerheader", "header"}) {
        EXPECT_EQ(with_header_token(given, other), given) << other;
    }
}

}  // namespace
}  // namespace culvert::portal_server
