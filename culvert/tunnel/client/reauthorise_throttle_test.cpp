#include "culvert/tunnel/client/reauthorise_throttle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;

const auto kA = test::id<ResourceId>(1);
constexpr Instant kStart{100s};

TEST(ReauthoriseThrottle, AllowsEverMoreRarelyWhileErrorsGoOn) {
    ReauthoriseThrottle throttle;
    std::vector<int> allowed;

    for (int second = 0; second <= 300; ++second) {
        if (throttle.allow(kA, kStart + std::chrono::seconds{second})) {
            allowed.push_back(second);
        }
    }

    EXPECT_THAT(allowed, testing::ElementsAre(0, 2, 6, 14, 30, 62, 126, 190, 254));
}

TEST(ReauthoriseThrottle, StartsAfreshAfterAQuietTime) {
    ReauthoriseThrottle throttle;
    for (int second = 0; second <= 100; ++second) {
        (void)throttle.allow(kA, kStart + std::chrono::seconds{second});
    }

    EXPECT_TRUE(throttle.allow(kA, kStart + 100s + 128s));
    EXPECT_FALSE(throttle.allow(kA, kStart + 100s + 129s));
    EXPECT_TRUE(throttle.allow(kA, kStart + 100s + 130s));
}

TEST(ReauthoriseThrottle, KeepsResourcesApart) {
    ReauthoriseThrottle throttle;
    EXPECT_TRUE(throttle.allow(kA, kStart));

    EXPECT_TRUE(throttle.allow(test::id<ResourceId>(2), kStart));
    EXPECT_FALSE(throttle.allow(kA, kStart));
    throttle.erase(kA);
    EXPECT_TRUE(throttle.allow(kA, kStart));
}

}  // namespace
}  // namespace culvert::tunnel
