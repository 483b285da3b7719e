#include "culvert/dns/pattern.h"

#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::name;

bool matches(std::string_view pattern, std::string_view text) {
    return Pattern::parse(pattern).value().matches(name(text));
}

void expect_matches(std::string_view pattern, std::initializer_list<std::string_view> yes,
                    std::initializer_list<std::string_view> no) {
    for (const auto text : yes) {
        EXPECT_TRUE(matches(pattern, text)) << pattern << " " << text;
    }
    for (const auto text : no) {
        EXPECT_FALSE(matches(pattern, text)) << pattern << " " << text;
    }
}

// The table of spec/dns.md section 5.1.
TEST(Pattern, MatchesAsSpecified) {
    expect_matches("example.com", {"example.com", "EXAMPLE.com"}, {"www.example.com", "example.co", "example.com.x"});
    expect_matches("*.example.com", {"foo.example.com", "Foo.EXAMPLE.com", "example.com"},
                   {"a.b.example.com", "xexample.com"});
    expect_matches("**.example.com", {"example.com", "EXAMPLE.com", "foo.example.com", "foo.bar.example.com"},
                   {"xexample.com"});
    expect_matches("?.example.com", {"a.example.com"}, {"ab.example.com", "example.com"});
    expect_matches("foo.*.example.com", {"foo.bar.example.com"}, {"foo.example.com", "foo.a.b.example.com"});
    expect_matches("*.*.example.com", {"a.b.example.com"}, {"b.example.com", "example.com"});
    expect_matches("app.**.example.com", {"app.example.com", "app.bar.foo.example.com"}, {"x.app.example.com"});
    expect_matches("app.**.web.**.example.com", {"app.web.example.com", "app.a.web.b.c.example.com"},
                   {"app.example.com", "web.app.example.com"});
    expect_matches("app.f??.example.com", {"app.foo.example.com"}, {"app.fo.example.com"});
    expect_matches("*?*.example.com", {"app.example.com", "a.example.com"}, {"example.com"});
    expect_matches("a*z.example.com", {"az.example.com", "abcz.example.com"}, {"a.z.example.com"});
    expect_matches("db-*.example.com", {"db-1.example.com", "db-.example.com"}, {"db.example.com"});
    expect_matches("app.*com", {"app.com", "app.telecom"}, {"app.foo.com"});
    expect_matches("app?com", {"appxcom"}, {"app.com"});
    expect_matches("*", {"localhost"}, {"example.com"});
}

TEST(Pattern, OfAStarInFrontMatchesTheApexInAnyCase) {
    expect_matches("*.example.com", {"EXAMPLE.com", "eXample.COM"}, {});
    expect_matches("*.Example.com", {"example.com"}, {});
}

TEST(Pattern, MatchesTheApexOnlyIfTheRestIsLiteral) {
    expect_matches("*.f?o.com", {"a.foo.com"}, {"foo.com"});
    expect_matches("*x.example.com", {"x.example.com", "ax.example.com"}, {"example.com"});
    expect_matches("a.*.example.com", {}, {"example.com", "a.example.com"});
}

TEST(Pattern, OfTwoStarsStandsForLabels) {
    expect_matches("**", {"a", "a.b"}, {});
    expect_matches("example.**", {"example.com", "example.co.uk"}, {"example", "a.example.com"});
    expect_matches("**.**.example.com", {"example.com", "a.b.c.example.com"}, {"xexample.com"});
}

TEST(Pattern, MayHaveSets) {
    expect_matches("[abc].example.com", {"a.example.com", "B.example.com"}, {"d.example.com", "ab.example.com"});
    expect_matches("db[0-9].example.com", {"db7.example.com"}, {"dba.example.com", "db.example.com"});
    expect_matches("[!a-c]x.example.com", {"dx.example.com"}, {"ax.example.com", "Ax.example.com", "x.example.com"});
    expect_matches("[A-C].example.com", {"b.example.com"}, {});
}

TEST(Pattern, NeverMatchesTheRoot) {
    expect_matches("*", {}, {"."});
    expect_matches("**", {}, {"."});
}

TEST(Pattern, SeesNamesInPresentationForm) {
    expect_matches("?.example.com", {}, {"\\007.example.com"});
    expect_matches("????.example.com", {"\\007.example.com"}, {});
    expect_matches("*.b.example.com", {}, {"a\\.b.example.com"});
    expect_matches("*.example.com", {}, {"a\\.b.example.com"});
    expect_matches("**.example.com", {"a\\.b.example.com"}, {});
    expect_matches("bücher.example.com", {}, {"b\\195\\188cher.example.com", "xn--bcher-kva.example.com"});
}

TEST(Pattern, ThatMeansNothingIsRefused) {
    for (const auto* text : {"", "***", "***.example.com", "a**.x", "**b.x", "a.b**", "[a.example.com",
                             "[].example.com", "[!].example.com", ".example.com", "example.com.", "a..b"}) {
        EXPECT_FALSE(Pattern::parse(text)) << text;
    }
    EXPECT_FALSE(Pattern::parse(std::string(256, 'a')));
    EXPECT_TRUE(Pattern::parse(std::string(255, '?')));
}

TEST(Pattern, OfManyStarsIsDecidedAtOnce) {
    std::string stars;
    for (int i = 0; i < 30; ++i) {
        stars += "*a";
    }
    EXPECT_FALSE(matches(stars + "b", std::string(63, 'a')));
    EXPECT_TRUE(matches(stars, std::string(63, 'a')));
}

// The sorted example of section 5.2.
TEST(Pattern, IsOrdered) {
    const std::vector<std::string_view> sorted{"example.com",     "bar.example.com", "*.bar.example.com",
                                               "foo.example.com", "?.example.com",   "*.example.com",
                                               "**.example.com",  "*ample.com",      "*.com"};
    for (std::size_t i = 0; i + 1 < sorted.size(); ++i) {
        EXPECT_LT(Pattern::parse(sorted[i]).value(), Pattern::parse(sorted[i + 1]).value()) << sorted[i];
    }
}

}  // namespace
}  // namespace culvert::dns
