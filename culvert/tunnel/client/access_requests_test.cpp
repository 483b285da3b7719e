#include "culvert/tunnel/client/access_requests.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;

const auto kA = test::id<ResourceId>(1);
const auto kB = test::id<ResourceId>(2);
constexpr Instant kStart{100s};

TEST(AccessRequests, AsksAtOnceAndThenEveryTwoSeconds) {
    AccessRequests requests;

    EXPECT_TRUE(requests.request(kA, kStart));
    EXPECT_FALSE(requests.request(kA, kStart + 1s));
    EXPECT_FALSE(requests.request(kA, kStart + 1900ms));
    EXPECT_TRUE(requests.request(kA, kStart + 2s));
    EXPECT_FALSE(requests.request(kA, kStart + 3s));
    EXPECT_TRUE(requests.request(kA, kStart + 4s));
}

TEST(AccessRequests, KeepsResourcesApart) {
    AccessRequests requests;
    EXPECT_TRUE(requests.request(kA, kStart));

    EXPECT_TRUE(requests.request(kB, kStart));
    requests.waiting(kA)->packets.push(as_bytes("a"));

    EXPECT_EQ(requests.waiting(kB)->packets.size(), 0U);
    EXPECT_EQ(requests.take(kA)->packets.size(), 1U);
    EXPECT_EQ(requests.waiting(kA), nullptr);
    EXPECT_NE(requests.waiting(kB), nullptr);
}

TEST(AccessRequests, AreMadeAgainOnANewConnectionIfSomebodyMayStillWait) {
    AccessRequests requests;
    EXPECT_TRUE(requests.request(kA, kStart));
    EXPECT_TRUE(requests.request(kB, kStart + kIntentLifetime));

    EXPECT_EQ(requests.renew(kStart + kIntentLifetime + 1ns), std::vector{kB});

    EXPECT_FALSE(requests.request(kB, kStart + kIntentLifetime + 1s)) << "it was asked for just now";
    EXPECT_TRUE(requests.request(kA, kStart + kIntentLifetime + 1s));
}

TEST(AccessRequests, GoOnWithoutWhatWaited) {
    AccessRequests requests;
    EXPECT_TRUE(requests.request(kA, kStart));
    requests.waiting(kA)->packets.push(as_bytes("a"));

    requests.drop_waiting(kA);
    requests.drop_waiting(kB);

    EXPECT_EQ(requests.waiting(kA)->packets.size(), 0U);
    EXPECT_FALSE(requests.request(kA, kStart + 1s));
    EXPECT_EQ(requests.waiting(kB), nullptr);
}

TEST(AccessRequests, StartsAfreshOnceAFlowHasEnded) {
    AccessRequests requests;
    EXPECT_TRUE(requests.request(kA, kStart));
    EXPECT_TRUE(requests.take(kA));

    EXPECT_FALSE(requests.take(kA));
    EXPECT_TRUE(requests.request(kA, kStart));
    requests.erase(kA);
    EXPECT_TRUE(requests.request(kA, kStart));
}

TEST(AccessRequests, AreNoFasterForAnswersThatComeToNothing) {
    AccessRequests requests;
    int asked = 0;
    for (auto now = kStart; now < kStart + 100s; now += 10ms) {
        if (requests.request(kA, now)) {
            ++asked;
            requests.erase(kA);
        }
    }
    EXPECT_LE(asked, 105);
    EXPECT_GE(asked, 50);
    requests.erase(kA);
    EXPECT_TRUE(requests.request(kB, kStart + 100s)) << "another one has had no part in it";
    EXPECT_TRUE(requests.request(kA, kStart + 102s));
}

}  // namespace
}  // namespace culvert::tunnel
