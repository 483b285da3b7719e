#include "culvert/tunnel/flow_cache.h"

#include <map>
#include <random>
#include <tuple>

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

FlowKey key(std::uint16_t port) {
    return {.connection = test::id<ClientId>(1).uuid(),
            .source = test::ip("100.64.0.1"),
            .destination = test::ip("10.0.0.1"),
            .port = port,
            .protocol = 6};
}

TEST(FlowCache, DistinguishesEveryPartOfTheKey) {
    FlowCache<int> cache;
    cache.insert(key(80), 1);

    ASSERT_NE(cache.find(key(80)), nullptr);
    EXPECT_EQ(*cache.find(key(80)), 1);

    auto other = key(80);
    other.port = 81;
    EXPECT_EQ(cache.find(other), nullptr);
    other = key(80);
    other.protocol = 17;
    EXPECT_EQ(cache.find(other), nullptr);
    other = key(80);
    other.source = test::ip("100.64.0.2");
    EXPECT_EQ(cache.find(other), nullptr);
    other = key(80);
    other.destination = test::ip("10.0.0.2");
    EXPECT_EQ(cache.find(other), nullptr);
    other = key(80);
    other.connection = test::id<ClientId>(2).uuid();
    EXPECT_EQ(cache.find(other), nullptr);
}

TEST(FlowCache, ForgetsEverythingOnceInvalidated) {
    FlowCache<int> cache;
    cache.insert(key(80), 1);

    cache.invalidate();

    EXPECT_EQ(cache.find(key(80)), nullptr);
    cache.insert(key(80), 2);
    EXPECT_EQ(*cache.find(key(80)), 2);
}

TEST(FlowCache, NeverConfusesFlowsThatShareASlot) {
    FlowCache<std::uint16_t> cache;
    std::size_t found = 0;

    for (std::uint32_t port = 0; port < 65536; ++port) {
        cache.insert(key(static_cast<std::uint16_t>(port)), static_cast<std::uint16_t>(port));
    }
    for (std::uint32_t port = 0; port < 65536; ++port) {
        if (const auto* value = cache.find(key(static_cast<std::uint16_t>(port)))) {
            ASSERT_EQ(*value, port);
            ++found;
        }
    }

    EXPECT_GT(found, cache.kEntries / 2) << "the hash leaves slots unused";
}

}  // namespace
}  // namespace culvert::tunnel
