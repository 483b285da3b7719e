#include "apps/portal/connection_limiter.h"

#include <map>

#include <gtest/gtest.h>

#include "apps/portal/constants.h"
#include "culvert/portal/constants.h"

namespace culvert::portal_server {
namespace {

net::IpAddress ip(const std::string& text) {
    return *net::IpAddress::parse(text);
}

TEST(ConnectionLimiter, LimitsWhoOpensConnectionsAndSaysNothing) {
    ConnectionLimiter limiter;
    const Instant now{};
    for (std::size_t i = 0; i < kMaxWaitingOfPlace; ++i) {
        EXPECT_TRUE(limiter.opened(ip("198.51.100.7"), now));
    }
    EXPECT_FALSE(limiter.opened(ip("198.51.100.7"), now));
    EXPECT_TRUE(limiter.opened(ip("198.51.100.8"), now));

    limiter.closed(ip("198.51.100.7"));
    EXPECT_TRUE(limiter.opened(ip("198.51.100.7"), now));
    EXPECT_FALSE(limiter.opened(ip("198.51.100.7"), now));
}

TEST(ConnectionLimiter, TakesTheAddressesOfOneCustomerForOnePlace) {
    ConnectionLimiter limiter;
    const Instant now{};
    for (std::size_t i = 0; i < kMaxWaitingOfPlace; ++i) {
        EXPECT_TRUE(limiter.opened(ip("2001:db8:1:" + std::to_string(i) + "::1"), now));
    }
    EXPECT_FALSE(limiter.opened(ip("2001:db8:1:ffff::1"), now));
    EXPECT_TRUE(limiter.opened(ip("2001:db8:2::1"), now));
}

TEST(ConnectionLimiter, LimitsUpgradesAndRecovers) {
    ConnectionLimiter limiter;
    Instant now{std::chrono::hours{1}};
    std::size_t admitted = 0;
    for (int i = 0; i < 1000; ++i) {
        admitted += limiter.upgrade(ip("198.51.100.7"), false, now) ? 0 : 1;
    }
    EXPECT_EQ(admitted, kUpgrades.burst);
    EXPECT_FALSE(limiter.upgrade(ip("198.51.100.8"), false, now));
    now += std::chrono::seconds{1};
    admitted = 0;
    for (int i = 0; i < 1000; ++i) {
        admitted += limiter.upgrade(ip("198.51.100.7"), false, now) ? 0 : 1;
    }
    EXPECT_EQ(admitted, kUpgrades.per_second);
}

TEST(ConnectionLimiter, TellsEachOfAFleetToComeAtAnotherTime) {
    ConnectionLimiter limiter;
    const Instant now{std::chrono::hours{1}};
    constexpr Rate kOnce{1, 1};
    const auto log_in = [&] { return limiter.log_in(ip("198.51.100.7"), "token", kOnce, now); };
    ASSERT_FALSE(log_in());

    std::map<std::chrono::seconds, int> told;
    for (int i = 0; i < 60; ++i) {
        ++told[log_in().value()];
    }

    EXPECT_EQ(told.begin()->first, kLoginPause);
    EXPECT_EQ(told.rbegin()->first, kLoginPause + portal::kLongestTurn - std::chrono::seconds{1});
    for (const auto& [wait, devices] : told) {
        EXPECT_EQ(devices, 2) << wait.count();
    }
    EXPECT_EQ(limiter.log_in(ip("198.51.100.8"), "token", kOnce, now), std::nullopt);
    EXPECT_EQ(limiter.log_in(ip("198.51.100.8"), "token", kOnce, now), kLoginPause) << "alone it comes back at once";
}

TEST(ConnectionLimiter, SpreadsACrowdAsItsRateAllows) {
    ConnectionLimiter limiter;
    const Instant now{std::chrono::hours{1}};
    while (!limiter.upgrade(ip("198.51.100.7"), true, now)) {
    }
    std::map<std::chrono::seconds, std::uint32_t> told;
    for (std::uint32_t i = 0; i < 3 * kSignedUpgrades.per_second; ++i) {
        ++told[limiter.upgrade(ip("198.51.100.7"), true, now).value()];
    }
    EXPECT_LE(told.size(), 4U);
    for (const auto& [wait, devices] : told) {
        EXPECT_LE(devices, kSignedUpgrades.per_second + 1) << wait.count();
    }
}

TEST(ConnectionLimiter, TriesOneTokenOfOneAddressOnceASecond) {
    ConnectionLimiter limiter;
    Instant now{std::chrono::hours{1}};
    constexpr Rate kOnce{1, 1};
    const auto may = [&](const std::string& address, std::string_view token) {
        return !limiter.log_in(ip(address), token, kOnce, now);
    };
    EXPECT_TRUE(may("198.51.100.7", "token"));
    EXPECT_FALSE(may("198.51.100.7", "token"));
    EXPECT_TRUE(may("198.51.100.7", "another"));
    EXPECT_TRUE(may("198.51.100.8", "token"));
    now += std::chrono::milliseconds{999};
    EXPECT_FALSE(may("198.51.100.7", "token"));
    now += std::chrono::milliseconds{1};
    EXPECT_TRUE(may("198.51.100.7", "token"));
    EXPECT_FALSE(may("198.51.100.7", "token"));
}

TEST(ConnectionLimiter, ForgetsTokensThatAreNotTriedAnyMore) {
    ConnectionLimiter limiter;
    Instant now{std::chrono::hours{1}};
    for (int i = 0; i < 10'000; ++i) {
        now += std::chrono::milliseconds{1};
        EXPECT_FALSE(limiter.log_in(ip("198.51.100.7"), std::to_string(i), {1, 1}, now));
    }
    EXPECT_LT(limiter.login_count(), 3000U);
}

TEST(ConnectionLimiter, StrangersDoNotKeepTheDevicesOfTheirPlaceOut) {
    ConnectionLimiter limiter;
    const Instant now{std::chrono::hours{1}};
    while (!limiter.upgrade(ip("198.51.100.7"), false, now)) {
    }
    EXPECT_FALSE(limiter.upgrade(ip("198.51.100.7"), true, now));
    std::size_t admitted = 1;
    while (!limiter.upgrade(ip("198.51.100.7"), true, now)) {
        ++admitted;
    }
    EXPECT_EQ(admitted, kSignedUpgrades.burst) << "nor is a token without end";
}

TEST(ConnectionLimiter, WrongTokensDoNotKeepGoodOnesOut) {
    ConnectionLimiter limiter;
    const Instant now{std::chrono::hours{1}};
    while (limiter.may_answer_wrong_token(ip("198.51.100.7"), now)) {
    }
    EXPECT_FALSE(limiter.upgrade(ip("198.51.100.7"), false, now));
}

TEST(ConnectionLimiter, ForgetsPlacesThatAreQuiet) {
    ConnectionLimiter limiter;
    Instant now{std::chrono::hours{1}};
    for (int i = 0; i < 20'000; ++i) {
        now += std::chrono::milliseconds{100};
        (void)limiter.upgrade(ip("2001:" + std::to_string(i % 9999) + ":" + std::to_string(i / 9999) + "::1"), false,
                              now);
    }
    EXPECT_LT(limiter.size(), 2048U);
}

}  // namespace
}  // namespace culvert::portal_server
