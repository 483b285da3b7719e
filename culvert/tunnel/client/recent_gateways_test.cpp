#include "culvert/tunnel/client/recent_gateways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::id;
using testing::ElementsAre;

TEST(RecentGateways, AreASetInAscendingOrder) {
    RecentGateways gateways;
    for (const auto number : {3, 1, 2, 3}) {
        gateways.touch(id<GatewayId>(static_cast<std::uint8_t>(number)));
    }

    EXPECT_THAT(gateways.sorted(), ElementsAre(id<GatewayId>(1), id<GatewayId>(2), id<GatewayId>(3)));
    gateways.clear();
    EXPECT_THAT(gateways.sorted(), ElementsAre());
}

TEST(RecentGateways, ForgetTheLeastRecentlyUsedBeyondOneHundred) {
    RecentGateways gateways;
    for (std::uint8_t number = 1; number <= 100; ++number) {
        gateways.touch(id<GatewayId>(number));
    }
    gateways.touch(id<GatewayId>(1));

    gateways.touch(id<GatewayId>(101));

    const auto sorted = gateways.sorted();
    EXPECT_EQ(sorted.size(), 100U);
    EXPECT_EQ(sorted.front(), id<GatewayId>(1));
    EXPECT_EQ(sorted[1], id<GatewayId>(3)) << "2 was used longest ago";
}

}  // namespace
}  // namespace culvert::tunnel
