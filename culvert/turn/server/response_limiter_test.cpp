#include "culvert/turn/server/response_limiter.h"

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

unsigned answers(ResponseLimiter& limiter, std::string_view client, unsigned asked, Instant now) {
    unsigned count = 0;
    for (unsigned i = 0; i < asked; ++i) {
        count += limiter.allow(ip(client), now) ? 1 : 0;
    }
    return count;
}

TEST(ResponseLimiter, GivesANetworkABurstAndThenARate) {
    ResponseLimiter limiter{7};

    EXPECT_EQ(answers(limiter, "198.51.100.1", 100'000, kStart), kUnprovenAnswersBurst);
    EXPECT_EQ(answers(limiter, "198.51.100.1", 100'000, kStart + 2s), 2 * kUnprovenAnswersPerSecond);
    EXPECT_EQ(answers(limiter, "198.51.100.1", 100'000, kStart + 1h), kUnprovenAnswersBurst);
}

TEST(ResponseLimiter, CountsPerNetwork) {
    ResponseLimiter limiter{7};
    answers(limiter, "198.51.100.1", 100'000, kStart);
    answers(limiter, "2001:db8:1:2::3", 100'000, kStart);

    EXPECT_FALSE(limiter.allow(ip("198.51.100.200"), kStart));
    EXPECT_TRUE(limiter.allow(ip("198.51.101.1"), kStart));
    EXPECT_FALSE(limiter.allow(ip("2001:db8:1:ffff::1"), kStart));
    EXPECT_TRUE(limiter.allow(ip("2001:db8:2::3"), kStart));
}

TEST(ResponseLimiter, AThousandDevicesBehindOneNatStartAtOnce) {
    ResponseLimiter limiter{7};
    // Each asks for its address up to four times, since the first answers may be slow, and is challenged.
    EXPECT_EQ(answers(limiter, "198.51.100.1", 1000 * 5, kStart), 5000U);
    // Afterwards each asks every 25 s.
    unsigned refused = 0;
    for (auto at = 1s; at < 10min; at += 1s) {
        refused += 40 - answers(limiter, "198.51.100.1", 40, kStart + at);
    }
    EXPECT_EQ(refused, 0U);
}

}  // namespace
}  // namespace culvert::turn
