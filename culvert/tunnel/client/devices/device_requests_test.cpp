#include "culvert/tunnel/client/devices/device_requests.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using namespace test;

const ClientId kDevice = id<ClientId>(2);
const ResourceId kPool = id<ResourceId>(10);
const ResourceId kOther = id<ResourceId>(11);

TEST(DeviceRequests, AreRepeatedByTrafficAndNotTooOften) {
    DeviceRequests requests;
    const Instant start{};

    EXPECT_TRUE(requests.request(kDevice, kPool, start));
    EXPECT_FALSE(requests.request(kDevice, kPool, start + kIntentInterval - 1ms));
    EXPECT_TRUE(requests.request(kDevice, kPool, start + kIntentInterval));
    EXPECT_TRUE(requests.request(id<ClientId>(3), kPool, start)) << "another device";
}

TEST(DeviceRequests, AreAboutOnePoolAtATime) {
    DeviceRequests requests;
    const Instant start{};
    ASSERT_TRUE(requests.request(kDevice, kPool, start));

    EXPECT_FALSE(requests.request(kDevice, kOther, start + 1s));
    requests.packets(kDevice).push(Bytes(20));
    const auto taken = requests.take(kDevice);

    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->pool, kPool);
    EXPECT_EQ(taken->packets.size(), 1U);
    EXPECT_FALSE(requests.contains(kDevice));
    EXPECT_FALSE(requests.take(kDevice));
    EXPECT_TRUE(requests.request(kDevice, kOther, start + 1s));
}

TEST(DeviceRequests, ThatWereAnsweredAreNotRepeatedAnySooner) {
    DeviceRequests requests;
    const Instant start{};
    ASSERT_TRUE(requests.request(kDevice, kPool, start));
    static_cast<void>(requests.take(kDevice));

    EXPECT_FALSE(requests.request(kDevice, kPool, start + 1s)) << "granted, and gone again";
    EXPECT_TRUE(requests.contains(kDevice)) << "its packets wait";
    requests.erase(kDevice);
    EXPECT_FALSE(requests.request(kDevice, kPool, start + kIntentInterval - 1ms)) << "refused";
    EXPECT_TRUE(requests.request(kDevice, kPool, start + kIntentInterval));
}

TEST(DeviceRequests, OfAFormerKeyDoNotCount) {
    DeviceRequests requests;
    const Instant start{};
    ASSERT_TRUE(requests.request(kDevice, kPool, start));

    requests.start_anew();

    EXPECT_TRUE(requests.request(kDevice, kPool, start + 1ms));
}

TEST(DeviceRequests, EndWithTheirPool) {
    DeviceRequests requests;
    ASSERT_TRUE(requests.request(kDevice, kPool, Instant{}));
    ASSERT_TRUE(requests.request(id<ClientId>(3), kOther, Instant{}));

    requests.erase_if([](const ClientId&, const ResourceId& pool) { return pool == kPool; });

    EXPECT_FALSE(requests.contains(kDevice));
    EXPECT_TRUE(requests.contains(id<ClientId>(3)));
}

}  // namespace
}  // namespace culvert::tunnel
