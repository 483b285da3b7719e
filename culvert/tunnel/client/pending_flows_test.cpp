#include "culvert/tunnel/client/pending_flows.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;

const auto kA = test::id<ResourceId>(1);
const auto kB = test::id<ResourceId>(2);
constexpr Instant kStart{100s};

TEST(PendingFlows, AsksAtOnceAndThenEveryTwoSeconds) {
    PendingFlows flows;

    EXPECT_TRUE(flows.request(kA, kStart));
    EXPECT_FALSE(flows.request(kA, kStart + 1s));
    EXPECT_FALSE(flows.request(kA, kStart + 1900ms));
    EXPECT_TRUE(flows.request(kA, kStart + 2s));
    EXPECT_FALSE(flows.request(kA, kStart + 3s));
    EXPECT_TRUE(flows.request(kA, kStart + 4s));
}

TEST(PendingFlows, KeepsResourcesApart) {
    PendingFlows flows;
    EXPECT_TRUE(flows.request(kA, kStart));

    EXPECT_TRUE(flows.request(kB, kStart));
    flows.packets(kA)->push(as_bytes("a"));

    EXPECT_EQ(flows.packets(kB)->size(), 0U);
    EXPECT_EQ(flows.take(kA)->size(), 1U);
    EXPECT_EQ(flows.packets(kA), nullptr);
    EXPECT_NE(flows.packets(kB), nullptr);
}

TEST(PendingFlows, StartsAfreshOnceAFlowHasEnded) {
    PendingFlows flows;
    EXPECT_TRUE(flows.request(kA, kStart));
    EXPECT_TRUE(flows.take(kA));

    EXPECT_FALSE(flows.take(kA));
    EXPECT_TRUE(flows.request(kA, kStart));
    flows.erase(kA);
    EXPECT_TRUE(flows.request(kA, kStart));
}

}  // namespace
}  // namespace culvert::tunnel
