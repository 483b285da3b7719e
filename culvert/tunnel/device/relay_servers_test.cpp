#include "culvert/tunnel/device/relay_servers.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

portal_api::Relay relay(std::uint8_t number, std::string_view address) {
    return {test::id<RelayId>(number), test::socket(address), "user", "secret", {}};
}

TEST(RelayServers, MergesNeighboursWithOneId) {
    const auto servers = to_relay_servers(
        std::vector{relay(1, "203.0.113.1:3478"), relay(1, "[2001:db8::1]:3478"), relay(2, "[2001:db8::2]:3478")});

    ASSERT_EQ(servers.size(), 2U);
    EXPECT_EQ(servers[0].id, test::id<RelayId>(1));
    EXPECT_EQ(servers[0].v4, test::socket("203.0.113.1:3478"));
    EXPECT_EQ(servers[0].v6, test::socket("[2001:db8::1]:3478"));
    EXPECT_EQ(servers[0].username, "user");
    EXPECT_EQ(servers[0].password, "secret");
    EXPECT_EQ(servers[0].realm, "firezone");
    EXPECT_EQ(servers[1].v4, std::nullopt);
    EXPECT_EQ(servers[1].v6, test::socket("[2001:db8::2]:3478"));
}

TEST(RelayServers, IgnoresASecondAddressOfAFamily) {
    const auto servers = to_relay_servers(std::vector{relay(1, "203.0.113.1:3478"), relay(1, "203.0.113.2:3478")});

    ASSERT_EQ(servers.size(), 1U);
    EXPECT_EQ(servers[0].v4, test::socket("203.0.113.1:3478"));
}

}  // namespace
}  // namespace culvert::tunnel
