// How users who want more ports than there are share them.

#include <gtest/gtest.h>

#include "culvert/turn/server/server_fixture.h"

namespace culvert::turn::test {
namespace {

constexpr std::uint16_t kLowest = 50'000;
constexpr std::uint16_t kPorts = 400;
const auto kAlice = at("198.51.100.1:1000");
const std::string kMallory = "198.51.100.66";

/// A relay of which somebody with as many devices as it takes wants everything.
class CrowdedRelay : public Relay {
public:
    CrowdedRelay() : Relay{with_ports(only_v4(), kLowest, kLowest + kPorts - 1)} {}

    int allocate_as(std::string_view user, const net::SocketAddress& client, std::uint32_t lifetime = 600) {
        username = "1763009999:" + std::string{user};
        return code(request(allocate(lifetime), client));
    }
    /// How many of `count` devices behind one address get an allocation.
    unsigned crowd(const std::string& address, unsigned count, std::uint16_t first_port = 1) {
        unsigned served = 0;
        for (unsigned i = 0; i < count; ++i) {
            const net::SocketAddress client{ip(address), static_cast<std::uint16_t>(first_port + i)};
            served += allocate_as(address + "/" + std::to_string(first_port + i), client) == 0 ? 1 : 0;
        }
        return served;
    }
    [[nodiscard]] bool is_served(const net::SocketAddress& client, std::string_view user) {
        username = "1763009999:" + std::string{user};
        return code(request(refresh(600), client)) == 0;
    }
};

TEST(ServerShares, WhileThereIsPlentyOneAddressMayHaveMuch) {
    CrowdedRelay relay;

    EXPECT_EQ(relay.crowd(kMallory, kPorts * 3 / 4), kPorts * 3U / 4);
}

TEST(ServerShares, WhoIsAloneMayHaveEverything) {
    CrowdedRelay relay;

    EXPECT_EQ(relay.crowd(kMallory, kPorts + 10), kPorts);
}

TEST(ServerShares, WhoHasLessThanAShareGetsIt) {
    CrowdedRelay relay;
    relay.crowd(kMallory, kPorts);

    EXPECT_EQ(relay.crowd("198.51.100.7", kPorts), kPorts / 2);
    EXPECT_EQ(relay.crowd("198.51.100.8", kPorts), kPorts / 3);
    EXPECT_EQ(relay.server.allocations(), kPorts);
}

TEST(ServerShares, OnceOthersAreThereTheGreedyAreRefusedBeforeTheLastPort) {
    CrowdedRelay relay;
    relay.crowd(kMallory, kPorts / 2);
    relay.crowd("198.51.100.7", 10);

    EXPECT_EQ(relay.crowd(kMallory, kPorts, 5000), kPorts / 4 - 10);
    const auto commands = relay.request(allocate(), net::SocketAddress{ip(kMallory), 9999});
    EXPECT_EQ(Relay::code(commands), 508);
    EXPECT_TRUE(relay.is_signed(commands));
    EXPECT_TRUE(Relay::effects(commands).empty());
}

TEST(ServerShares, ADeviceWithAnotherSaltEachTimeIsStillOneSource) {
    CrowdedRelay relay;
    for (unsigned i = 0; i < kPorts; ++i) {
        // All of a user's quota, with the next salt, from ports as they come.
        relay.allocate_as("key" + std::to_string(i / kMaxAllocationsPerUser),
                          {ip(kMallory), static_cast<std::uint16_t>(1 + i)}, 3600);
    }

    EXPECT_EQ(relay.allocate_as("alice", kAlice), 0);
}

TEST(ServerShares, UnusedAllocationsGoBeforeUsedOnesAndOldBeforeNew) {
    CrowdedRelay relay;
    relay.username = "1763009999:mallory";
    for (std::uint16_t i = 1; i <= 64; ++i) {
        const net::SocketAddress client{ip(kMallory), i};
        relay.advance(1s);
        EXPECT_EQ(relay.allocate_as("mallory", client, 3600), 0);
        if (i != 10 && i != 20) {
            EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "192.0.2.1:1"), client)), 0);
        }
    }
    relay.crowd(kMallory, kPorts - 64, 1000);

    EXPECT_EQ(relay.crowd("198.51.100.7", 3), 3U);

    EXPECT_FALSE(relay.is_served({ip(kMallory), 10}, "mallory")) << "unused, older";
    EXPECT_FALSE(relay.is_served({ip(kMallory), 20}, "mallory")) << "unused";
    EXPECT_FALSE(relay.is_served({ip(kMallory), 1}, "mallory")) << "the oldest";
    EXPECT_TRUE(relay.is_served({ip(kMallory), 2}, "mallory"));
    EXPECT_TRUE(relay.is_served({ip(kMallory), 1000}, kMallory + "/1000")) << "who has one has not most";
}

TEST(ServerShares, NobodyLosesAnythingToSomebodyWithManyAddresses) {
    CrowdedRelay relay;
    relay.crowd("198.51.100.7", kSmallestShare);
    for (int i = 0; i < kPorts; ++i) {
        relay.allocate_as("mallory" + std::to_string(i),
                          {ip("203.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)), 1});
    }
    EXPECT_EQ(relay.server.allocations(), kPorts);

    for (std::uint16_t i = 1; i <= kSmallestShare; ++i) {
        EXPECT_TRUE(relay.is_served({ip("198.51.100.7"), i}, "198.51.100.7/" + std::to_string(i)));
    }
}

TEST(ServerShares, WhoGetsNothingTakesNothing) {
    CrowdedRelay relay;
    relay.crowd(kMallory, kPorts);
    relay.username = "1763009999:alice";

    EXPECT_EQ(Relay::code(relay.request(allocate_v6(), kAlice)), 440);

    EXPECT_EQ(relay.server.allocations(), kPorts);
}

TEST(ServerShares, ChannelsAreSharedLikePorts) {
    auto config = only_v4();
    config.max_channels = 400;
    Relay relay{config};
    const auto bind_all = [&](std::string_view user, const net::SocketAddress& client) {
        relay.username = "1763009999:" + std::string{user};
        relay.request(allocate(3600), client);
        unsigned bound = 0;
        for (std::uint16_t i = 0; i < 150; ++i) {
            const auto peer = "192.0.2.1:" + std::to_string(i + 1);
            const auto channel = static_cast<std::uint16_t>(0x4000 + i);
            bound += Relay::code(relay.request(bind(channel, peer), client)) == 0 ? 1 : 0;
        }
        return bound;
    };
    EXPECT_EQ(bind_all("mallory", {ip(kMallory), 1}), 150U);
    EXPECT_EQ(bind_all("alice", kAlice), 150U);

    EXPECT_EQ(bind_all("eve", {ip(kMallory), 2}), 50U) << "her own share, with another device";
    EXPECT_EQ(bind_all("alice", {kAlice.ip, 2}), 50U);
    EXPECT_EQ(relay.server.bound_channels(), 400U);
}

TEST(ServerShares, AFullQuotaMakesRoomOnlyForWhoseDeviceHasLeft) {
    auto config = only_v4();
    config.max_allocations_per_user = 2;
    Relay relay{config};
    const auto second = at("198.51.100.1:1001");
    const auto third = at("198.51.100.1:1002");
    relay.request(allocate(1000), kAlice);
    relay.request(allocate(1000), second);
    relay.request(bind(0x4000, "192.0.2.1:1"), second);
    relay.username = "1763009999:salt";

    relay.advance(749s);
    EXPECT_EQ(Relay::code(relay.request(allocate(), third)), 486) << "it may yet be refreshed";
    relay.advance(1s);
    EXPECT_EQ(Relay::code(relay.request(allocate(), third)), 0);
    EXPECT_EQ(Relay::code(relay.request(refresh(1000), kAlice)), 437);
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 486) << "a channel is in use, the other one is new";
}

TEST(ServerShares, ARefreshedAllocationIsInUse) {
    auto config = only_v4();
    config.max_allocations_per_user = 1;
    Relay relay{config};
    relay.request(allocate(1000), kAlice);
    relay.username = "1763009999:salt";
    relay.advance(700s);
    relay.request(refresh(1000), kAlice);
    relay.advance(700s);

    EXPECT_EQ(Relay::code(relay.request(allocate(), at("198.51.100.1:1001"))), 486);
}

}  // namespace
}  // namespace culvert::turn::test
