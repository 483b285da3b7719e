// Where the relay lets its users send: what PeerRules decide, on the wire.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/turn/server/server_fixture.h"

namespace culvert::turn::test {
namespace {

using ::testing::IsEmpty;

const auto kAlice = at("198.51.100.1:1000");
const auto kBob = at("198.51.100.2:2000");

ServerConfig on_the_internet() {
    ServerConfig config;
    config.public_v4 = ip("8.8.4.4");
    config.public_v6 = ip("2a00:1450::50");
    config.lowest_port = 50000;
    config.highest_port = 50009;
    config.local_addresses = {ip("10.1.2.3")};
    return config;
}

TEST(ServerPeers, DeniedPeersAreForbiddenAndGetNothing) {
    Relay relay{on_the_internet()};
    relay.request(allocate_dual(), kAlice);

    for (const auto* peer :
         {"127.0.0.1:53", "[::1]:53", "169.254.169.254:80", "224.0.0.1:1", "255.255.255.255:67", "10.0.0.1:22",
          "10.1.2.3:8080", "[fd00::1]:22", "[fe80::1]:22", "[::ffff:10.0.0.1]:22", "[64:ff9b::10.0.0.1]:22",
          "[2002:a00:1::1]:22", "8.8.4.4:3478", "8.8.4.4:53", "[2a00:1450::50]:3478"}) {
        const auto commands = relay.request(bind(0x4000, peer), kAlice);

        EXPECT_EQ(Relay::code(commands), 403) << peer;
        EXPECT_TRUE(relay.is_signed(commands)) << peer;
        EXPECT_THAT(Relay::effects(commands), IsEmpty()) << peer;
        EXPECT_EQ(relay.send_data(0x4000, 10, kAlice), "dropped") << peer;
        EXPECT_EQ(relay.receive_data(peer, 50000), "dropped") << peer;
    }
    EXPECT_EQ(relay.server.bound_channels(), 0U);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "1.1.1.1:53"), kAlice)), 0)
        << "a refused bind takes neither the number";
    EXPECT_EQ(Relay::code(relay.request(bind(0x4001, "[2a00::1]:53"), kAlice)), 0);
}

TEST(ServerPeers, TwoUsersOfOneRelayMeetThere) {
    Relay relay{on_the_internet()};
    relay.request(allocate(), kAlice);
    relay.request(allocate(), kBob);
    for (std::uint16_t port = 50000; port <= 50009; ++port) {
        const auto channel = static_cast<std::uint16_t>(0x4000 + port - 50000);
        EXPECT_EQ(Relay::code(relay.request(bind(channel, "8.8.4.4:" + std::to_string(port)), kAlice)), 0);
    }
}

TEST(ServerPeers, OperatorsOpenAPrivateNetwork) {
    auto config = on_the_internet();
    config.allowed_peers = {*net::IpNetwork::parse("10.0.0.0/8")};
    config.denied_peers = {*net::IpNetwork::parse("10.9.0.0/16")};
    Relay relay{config};
    relay.request(allocate(), kAlice);

    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "10.8.0.1:1"), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4001, "10.9.0.1:1"), kAlice)), 403);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4001, "192.168.0.1:1"), kAlice)), 403);
}

TEST(ServerPeers, PermissionsForDeniedPeersAreForbidden) {
    Relay relay{on_the_internet()};
    RequestSpec permission{.method = Method::kCreatePermission};
    permission.peer = at("10.0.0.1:1");

    EXPECT_EQ(Relay::code(relay.request(permission, kAlice)), 403);
    permission.peer = at("1.1.1.1:1");
    EXPECT_EQ(Relay::code(relay.request(permission, kAlice)), 0);
}

TEST(ServerPeers, AMissingFamilyIsToldBeforeTheRules) {
    Relay relay{on_the_internet()};
    relay.request(allocate(), kAlice);

    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "[::1]:1"), kAlice)), 443);
}

}  // namespace
}  // namespace culvert::turn::test
