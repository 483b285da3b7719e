#include "culvert/tunnel/client/gateway_preferences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::id;
using testing::ElementsAre;

const auto kR1 = id<ResourceId>(1);
const auto kR2 = id<ResourceId>(2);

GatewayId gateway(int number) {
    return id<GatewayId>(static_cast<std::uint8_t>(number));
}

TEST(GatewayPreferences, NameTheLastOneThenTheConnectedOnesThenTheOthers) {
    GatewayPreferences preferences;
    for (const auto number : {5, 1, 2}) {
        preferences.note(kR2, gateway(number));
    }
    preferences.note(kR1, gateway(4));
    const std::vector connected{gateway(3), gateway(2)};

    EXPECT_THAT(preferences.for_resource(kR1, connected),
                ElementsAre(gateway(4), gateway(2), gateway(3), gateway(1), gateway(5)));
    EXPECT_THAT(preferences.for_resource(kR2, connected),
                ElementsAre(gateway(2), gateway(3), gateway(1), gateway(4), gateway(5)));
    EXPECT_THAT(preferences.for_resource(id<ResourceId>(3), {}),
                ElementsAre(gateway(1), gateway(2), gateway(4), gateway(5)));
}

TEST(GatewayPreferences, ForgetTheGatewayAuthorizedLongestAgoBeyondOneHundred) {
    GatewayPreferences preferences;
    for (int number = 1; number <= 100; ++number) {
        preferences.note(kR1, gateway(number));
    }
    preferences.note(kR1, gateway(1));

    preferences.note(kR1, gateway(101));

    const auto list = preferences.for_resource(kR2, {});
    EXPECT_EQ(list.size(), 100U);
    EXPECT_EQ(list[0], gateway(1));
    EXPECT_EQ(list[1], gateway(3)) << "2 was authorized longest ago";
    EXPECT_EQ(preferences.for_resource(kR1, {}).size(), 100U);
}

}  // namespace
}  // namespace culvert::tunnel
