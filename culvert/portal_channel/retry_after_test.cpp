#include "culvert/portal_channel/retry_after.h"

#include <gtest/gtest.h>

#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using namespace std::chrono_literals;

// Sun, 06 Nov 1994 08:49:37 GMT
constexpr WallTime kNow{784'111'777s};

std::optional<Duration> parse(std::string_view text) {
    return parse_retry_after(text, kNow);
}

TEST(RetryAfter, IsSeconds) {
    EXPECT_EQ(parse("1"), 1s);
    EXPECT_EQ(parse(" 120\t"), 2min);
    EXPECT_EQ(parse("0"), 0s);
    EXPECT_EQ(parse("007"), 7s);
}

TEST(RetryAfter, IsADate) {
    EXPECT_EQ(parse("Sun, 06 Nov 1994 08:49:47 GMT"), 10s);
    EXPECT_EQ(parse("Sun, 6 Nov 1994 10:49:38 +0200"), 1s);
    EXPECT_EQ(parse("06 Nov 1994 08:50 UTC"), 23s);
    EXPECT_EQ(parse("Sun, 06 Nov 1994 03:19:38 -0530"), 1s);
}

TEST(RetryAfter, IsNothingIfTheDateHasPassed) {
    EXPECT_EQ(parse("Sun, 06 Nov 1994 08:49:36 GMT"), 0s);
    EXPECT_EQ(parse("Thu, 01 Jan 1970 00:00:00 GMT"), 0s);
}

TEST(RetryAfter, IsNeverLongerThanPeopleWait) {
    for (const auto* text : {"86400", "4294967295", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"}) {
        EXPECT_EQ(parse(text), kMaxRetryAfter) << text;
    }
}

TEST(RetryAfter, IgnoresNonsense) {
    for (const auto* text : {"",
                             " ",
                             "soon",
                             "-1",
                             "+1",
                             "1.5",
                             "1 s",
                             "0x10",
                             "Sun",
                             "Sun, 06 Nov 1994",
                             "Sun, 31 Feb 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:00:00 GMT",
                             "Sun, 06 Nov 1994 08:49:37",
                             "Sun, 06 Nov 1994 08:49:37 GMT GMT",
                             "Sun, 06 Nov 94 08:49:37 GMT",
                             "Sunday, 06-Nov-94 08:49:37 GMT",
                             "Sun, 06 nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:49:37 +99",
                             "Sun, 06 Nov 1994 8:49:37 GMT",
                             "Sun, 06 Nov 1994 08-49-37 GMT"}) {
        EXPECT_EQ(parse(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace culvert::portal_channel
