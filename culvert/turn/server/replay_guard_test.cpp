#include "culvert/turn/server/replay_guard.h"

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

TEST(ReplayGuard, RemembersAnswersOfEachUser) {
    ReplayGuard guard;
    guard.remember("a", 1, 0, kStart);
    guard.remember("a", 2, 437, kStart);
    guard.remember("b", 3, 0, kStart);

    EXPECT_EQ(guard.find("a", 1), 0);
    EXPECT_EQ(guard.find("a", 2), 437);
    EXPECT_EQ(guard.find("a", 3), std::nullopt);
    EXPECT_EQ(guard.find("c", 1), std::nullopt);
}

TEST(ReplayGuard, RemembersARequestAsLongAsItsNonceLives) {
    ReplayGuard guard;
    for (auto at = 0s; at < 3 * kNonceLifetime; at += 7s) {
        guard.remember("a", static_cast<std::uint64_t>(at.count()), 0, kStart + at);
        for (auto earlier = at; earlier >= 0s && at - earlier <= kNonceLifetime; earlier -= 70s) {
            ASSERT_TRUE(guard.find("a", static_cast<std::uint64_t>(earlier.count())).has_value())
                << at.count() << ' ' << earlier.count();
        }
    }
    EXPECT_LE(guard.requests(), 2U * (kNonceLifetime / 7s + 1)) << "and little longer";
}

TEST(ReplayGuard, ForgettingARequestEarlyGivesUpItsNonce) {
    ReplayGuard guard{{.requests_per_user = 10, .users = 100}};
    for (unsigned i = 0; i < 200; ++i) {
        const auto now = kStart + i * 10ms;
        guard.remember("a", i, 0, now);
        for (unsigned earlier = 0; earlier <= i; ++earlier) {
            // Its nonce was from the millisecond before at the latest.
            ASSERT_TRUE(guard.find("a", earlier).has_value() || !guard.is_current("a", kStart + earlier * 10ms - 1ms))
                << "request " << earlier << " counts again after " << i;
        }
        ASSERT_TRUE(guard.is_current("a", now)) << "a nonce that was given now counts";
        ASSERT_LE(guard.requests(), 20U);
    }
    EXPECT_TRUE(guard.is_current("b", kStart - 10s)) << "nobody else loses a nonce";
}

TEST(ReplayGuard, ManyRequestsWithinAMillisecondLeaveNoHole) {
    ReplayGuard guard{{.requests_per_user = 10, .users = 100}};
    for (unsigned i = 0; i < 10; ++i) {
        guard.remember("a", i, 0, kStart);
    }
    for (unsigned i = 0; i < 10; ++i) {
        EXPECT_TRUE(guard.find("a", i).has_value());
    }
}

TEST(ReplayGuard, ForgettingAUserEarlyGivesUpItsNoncesButNotThoseOfOthers) {
    ReplayGuard guard{{.requests_per_user = 10, .users = 2}};
    guard.remember("a", 1, 0, kStart);
    guard.remember("b", 2, 0, kStart + 10ms);

    guard.remember("c", 3, 0, kStart + 20ms);

    EXPECT_EQ(guard.users(), 2U);
    EXPECT_FALSE(guard.is_current("a", kStart));
    EXPECT_TRUE(guard.is_current("a", kStart + 20ms));
    EXPECT_TRUE(guard.is_current("b", kStart - 10s));
    EXPECT_EQ(guard.find("b", 2), 0);
}

TEST(ReplayGuard, AllUsersTogetherAreBoundedWithoutAHole) {
    ReplayGuard guard{{.requests_per_user = 50, .users = 1000, .requests = 100, .few_requests = 5}};
    for (unsigned i = 0; i < 2000; ++i) {
        const auto now = kStart + i * 10ms;
        const auto user = "user " + std::to_string(i % 20);
        guard.remember(user, i, 0, now);
        for (unsigned earlier = i % 20; earlier <= i; earlier += 20) {
            ASSERT_TRUE(guard.find(user, earlier).has_value() ||
                        !guard.is_current(user, kStart + earlier * 10ms - 1ms));
        }
    }
    EXPECT_LE(guard.requests(), 20U * 10U);
}

TEST(ReplayGuard, ForgetsUsersOnceTheirNoncesHaveExpired) {
    ReplayGuard guard;
    guard.remember("a", 1, 0, kStart);
    guard.remember("b", 2, 0, kStart + kNonceLifetime + 1s);

    EXPECT_EQ(guard.users(), 1U);
    EXPECT_TRUE(guard.is_current("a", kStart + 1s)) << "a live nonce counts";
}

}  // namespace
}  // namespace culvert::turn
