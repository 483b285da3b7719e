#include "culvert/connectivity/channel_quota.h"

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "culvert/connectivity/constants.h"

namespace culvert::connectivity {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

net::SocketAddress address(std::size_t port) {
    return {net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, 1}}, static_cast<std::uint16_t>(port)};
}

TEST(ChannelQuota, AdmitsSoManyAddressesAndThoseAgain) {
    ChannelQuota quota;
    for (std::size_t n = 0; n < kMaxChannelsPerConnection; ++n) {
        ASSERT_TRUE(quota.admit(address(n), kStart));
    }

    EXPECT_FALSE(quota.admit(address(kMaxChannelsPerConnection), kStart));
    for (std::size_t n = 0; n < kMaxChannelsPerConnection; ++n) {
        ASSERT_TRUE(quota.admit(address(n), kStart));
    }
}

TEST(ChannelQuota, AnAddressMakesRoomOnceItsChannelNumberIsFree) {
    ChannelQuota quota;
    for (std::size_t n = 0; n < kMaxChannelsPerConnection; ++n) {
        ASSERT_TRUE(quota.admit(address(n), kStart));
    }
    ASSERT_TRUE(quota.admit(address(7), kStart + 5min));

    EXPECT_FALSE(quota.admit(address(5000), kStart + 15min - 1s));
    EXPECT_TRUE(quota.admit(address(5000), kStart + 15min));
    EXPECT_TRUE(quota.admit(address(7), kStart + 15min)) << "still in use";
}

}  // namespace
}  // namespace culvert::connectivity
