#include "culvert/portal_channel/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace culvert::portal_channel {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, TriesFifteenTimesMoreASecondApartIfItWasNeverJoined) {
    auto rng = Rng::from_number(1);
    Backoff backoff{std::nullopt};
    for (int retry = 0; retry < 15; ++retry) {
        EXPECT_EQ(backoff.next(rng), 1s) << retry;
    }
    EXPECT_EQ(backoff.next(rng), std::nullopt);
}

TEST(Backoff, IsPatientWithAMachineThatIsNotReady) {
    auto rng = Rng::from_number(1);
    Backoff backoff{std::nullopt};
    Duration longest{};
    for (int retry = 0; retry < 100; ++retry) {
        const auto delay = backoff.next_patiently(rng);
        ASSERT_TRUE(delay) << retry;
        longest = std::max(longest, *delay);
    }
    EXPECT_GT(longest, 60s);
    for (int retry = 0; retry < 15; ++retry) {
        EXPECT_EQ(backoff.next(rng), 1s) << "what comes after that has its own attempts";
    }
    EXPECT_EQ(backoff.next(rng), std::nullopt);
}

TEST(Backoff, StartsOverIfTheDeviceConnectsAnew) {
    auto rng = Rng::from_number(1);
    Backoff backoff{std::nullopt};
    while (backoff.next(rng)) {
    }
    backoff.restart();
    EXPECT_EQ(backoff.next(rng), 1s);

    backoff.handle_joined();
    for (int retry = 0; retry < 20; ++retry) {
        EXPECT_NE(backoff.next(rng), std::nullopt);
    }
    backoff.restart();
    EXPECT_LE(*backoff.next(rng), 1s);
}

TEST(Backoff, GrowsOnceItWasJoined) {
    auto rng = Rng::from_number(2);
    Backoff backoff{std::nullopt};
    backoff.handle_joined();
    double interval = 500;
    for (int retry = 0; retry < 40; ++retry) {
        const auto delay = std::chrono::duration<double, std::milli>(*backoff.next(rng)).count();
        EXPECT_GE(delay, interval - 0.001);
        EXPECT_LE(delay, 2 * interval + 0.001);
        interval = std::min(interval * 1.5, 60'000.0);
    }
    backoff.handle_joined();
    EXPECT_LE(*backoff.next(rng), 1s) << "the next outage is another one";
}

TEST(Backoff, JitterCoversTheWholeRange) {
    auto rng = Rng::from_number(3);
    Duration least = 1h;
    Duration most{};
    for (int i = 0; i < 1000; ++i) {
        Backoff backoff{std::nullopt};
        backoff.handle_joined();
        const auto delay = *backoff.next(rng);
        least = std::min(least, delay);
        most = std::max(most, delay);
    }
    EXPECT_GE(least, 500ms);
    EXPECT_LT(least, 505ms);
    EXPECT_LE(most, 1s);
    EXPECT_GT(most, 995ms);
}

TEST(Backoff, GivesUpWhenItHasWaitedForLongEnough) {
    auto rng = Rng::from_number(4);
    Backoff backoff{15min};
    backoff.handle_joined();
    Duration waited{};
    while (const auto delay = backoff.next(rng)) {
        waited += *delay;
    }
    EXPECT_GT(waited, 13min);
    EXPECT_LE(waited, 15min);
}

TEST(Backoff, LimitDoesNotConcernADeviceThatWasNeverJoined) {
    auto rng = Rng::from_number(5);
    Backoff backoff{3s};
    for (int retry = 0; retry < 15; ++retry) {
        EXPECT_EQ(backoff.next(rng), 1s);
    }
}

}  // namespace
}  // namespace culvert::portal_channel
