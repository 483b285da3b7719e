#include "culvert/admin/throttle.h"

#include <gtest/gtest.h>

namespace culvert::admin {
namespace {

using namespace std::chrono_literals;

TEST(Throttle, LetsABurstThroughAndThenOneInEachInterval) {
    Throttle throttle{6s, 3, 100};
    Instant now{};
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(throttle.take("a", now)) << i;
    }
    EXPECT_EQ(throttle.take("a", now), 6s);
    now += 5s;
    EXPECT_EQ(throttle.take("a", now), 1s);
    now += 1s;
    EXPECT_FALSE(throttle.take("a", now));
    EXPECT_TRUE(throttle.take("a", now));
}

TEST(Throttle, CountsEachForItself) {
    Throttle throttle{6s, 1, 100};
    EXPECT_FALSE(throttle.take("a", Instant{}));
    EXPECT_FALSE(throttle.take("b", Instant{}));
    EXPECT_TRUE(throttle.take("a", Instant{}));
}

TEST(Throttle, RemembersABoundedNumber) {
    Throttle throttle{6s, 1, 10};
    for (int i = 0; i < 1000; ++i) {
        (void)throttle.take(std::to_string(i), Instant{} + i * 1ms);
        ASSERT_LE(throttle.size(), 10U);
    }
    EXPECT_TRUE(throttle.take("999", Instant{} + 1s)) << "the newest are remembered";
}

TEST(Throttle, DoesNotLetThoseWhoGoOnWaitLonger) {
    Throttle throttle{6s, 1, 10};
    (void)throttle.take("a", Instant{});
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(throttle.take("a", Instant{} + 5s));
    }
    EXPECT_FALSE(throttle.take("a", Instant{} + 6s));
}

}  // namespace
}  // namespace culvert::admin
