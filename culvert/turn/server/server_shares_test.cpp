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

TEST(ServerShares, AddressesForLessThanAllSmallestSharesDoNotKeepNewcomersOut) {
    CrowdedRelay relay;
    constexpr unsigned kAddresses = kPorts / kSmallestShare - 2;
    for (unsigned i = 0; i < kAddresses; ++i) {
        relay.crowd("203.0.113." + std::to_string(i), kPorts / kAddresses + 1);
    }
    ASSERT_EQ(relay.server.allocations(), kPorts);

    EXPECT_EQ(relay.crowd("198.51.100.7", kSmallestShare), kSmallestShare);
}

TEST(ServerShares, WhoGetsNothingTakesNothing) {
    CrowdedRelay relay;
    relay.crowd(kMallory, kPorts);
    relay.username = "1763009999:alice";

    EXPECT_EQ(Relay::code(relay.request(allocate_v6(), kAlice)), 440);

    EXPECT_EQ(relay.server.allocations(), kPorts);
}

TEST(ServerShares, OfTwoUsersBehindOneAddressTheOneInUseStays) {
    CrowdedRelay relay;
    relay.allocate_as("zoe", {ip(kMallory), 1}, 3600);
    relay.request(bind(0x4000, "192.0.2.1:1"), {ip(kMallory), 1});
    relay.advance(1s);
    relay.allocate_as("aaron", {ip(kMallory), 2}, 3600);
    relay.advance(1s);
    for (std::uint16_t i = 3; i <= kPorts; ++i) {
        relay.allocate_as("m" + std::to_string(i), {ip(kMallory), i}, 3600);
    }

    EXPECT_EQ(relay.crowd("198.51.100.7", 1), 1U);

    EXPECT_TRUE(relay.is_served({ip(kMallory), 1}, "zoe"));
    EXPECT_FALSE(relay.is_served({ip(kMallory), 2}, "aaron"));
}

/// A relay with few channels.
class RelayOfChannels : public Relay {
public:
    static constexpr std::size_t kChannels = 400;

    RelayOfChannels() : Relay{config()} {}

    /// How many of `count` channels the user gets at this address.
    unsigned bind_all(std::string_view user, const net::SocketAddress& client, unsigned count) {
        username = "1763009999:" + std::string{user};
        request(allocate(3600), client);
        unsigned bound = 0;
        for (unsigned i = 0; i < count; ++i) {
            bound += bind_one(client, i) == 0 ? 1 : 0;
        }
        return bound;
    }
    int bind_one(const net::SocketAddress& client, unsigned number) {
        const auto peer = "192.0.2.1:" + std::to_string(number + 1);
        return code(request(bind(static_cast<std::uint16_t>(0x4000 + number), peer), client));
    }

private:
    static ServerConfig config() {
        auto config = only_v4();
        config.max_channels = kChannels;
        config.max_channels_per_user = kChannels;
        return config;
    }
};

TEST(ServerShares, AGatewayIsOneSourceAndMayHaveWhatIsFree) {
    RelayOfChannels relay;
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(relay.bind_all("client" + std::to_string(i), {ip("203.0.113." + std::to_string(i)), 1}, 1), 1U);
    }

    EXPECT_EQ(relay.bind_all("gateway", kAlice, 380), 380U);
}

TEST(ServerShares, WhoHasFewerChannelsTakesThemFromWhoHasMost) {
    RelayOfChannels relay;
    for (std::uint16_t i = 1; i <= 4; ++i) {
        relay.bind_all("mallory" + std::to_string(i), {ip(kMallory), i}, 95);
    }
    EXPECT_EQ(relay.bind_all("bob", at("198.51.100.2:1"), 20), 20U);
    EXPECT_EQ(relay.server.bound_channels(), RelayOfChannels::kChannels);

    EXPECT_EQ(relay.bind_all("gateway", kAlice, 300), 190U) << "as many as the greedy one is left with";

    EXPECT_EQ(relay.server.bound_channels(), RelayOfChannels::kChannels);
    EXPECT_EQ(relay.bind_all("mallory5", {ip(kMallory), 5}, 100), 0U);
    relay.username = "1763009999:bob";
    for (unsigned i = 0; i < 20; ++i) {
        EXPECT_EQ(relay.bind_one(at("198.51.100.2:1"), i), 0);
        EXPECT_NE(relay.send_data(static_cast<std::uint16_t>(0x4000 + i), 1, at("198.51.100.2:1")), "dropped");
    }
}

TEST(ServerShares, ATakenChannelCarriesNothingAndCanBeBoundAgainLater) {
    RelayOfChannels relay;
    const net::SocketAddress mallory{ip(kMallory), 1};
    relay.bind_all("mallory", mallory, RelayOfChannels::kChannels);
    const auto last = static_cast<std::uint16_t>(0x4000 + RelayOfChannels::kChannels - 1);
    EXPECT_NE(relay.send_data(last, 1, mallory), "dropped");
    relay.username = "1763009999:alice";
    relay.request(allocate(3600), kAlice);

    const auto commands = relay.request(bind(0x4000, "192.0.2.9:9"), kAlice);

    EXPECT_EQ(Relay::code(commands), 0);
    EXPECT_EQ(Relay::effects(commands).size(), 2U) << "one is deleted, one is made";
    EXPECT_EQ(relay.send_data(last, 1, mallory), "dropped");
    relay.username = "1763009999:mallory";
    EXPECT_EQ(relay.bind_one(mallory, RelayOfChannels::kChannels - 1), 508);
    relay.username = "1763009999:alice";
    relay.request(refresh(0), kAlice);
    relay.username = "1763009999:mallory";
    EXPECT_EQ(relay.bind_one(mallory, RelayOfChannels::kChannels - 1), 0);
    EXPECT_NE(relay.send_data(last, 1, mallory), "dropped");
}

TEST(ServerShares, TwoWhoHaveTheSameTakeNothingFromEachOther) {
    RelayOfChannels relay;
    EXPECT_EQ(relay.bind_all("mallory", {ip(kMallory), 1}, 200), 200U);
    EXPECT_EQ(relay.bind_all("alice", kAlice, 200), 200U);

    EXPECT_EQ(relay.bind_one(kAlice, 200), 508);
    relay.username = "1763009999:mallory";
    EXPECT_EQ(relay.bind_one({ip(kMallory), 1}, 200), 508);
}

TEST(ServerShares, ARelayTakesChannelsBackFromThoseThatAreCoolingDown) {
    RelayOfChannels relay;
    relay.bind_all("mallory", {ip(kMallory), 1}, RelayOfChannels::kChannels);
    relay.advance(700s);
    relay.time_out();

    EXPECT_EQ(relay.bind_all("alice", kAlice, 10), 10U);
    relay.advance(3600s);
    relay.time_out();
    EXPECT_EQ(relay.server.bound_channels(), 0U);
}

TEST(ServerShares, ABlockedPortOfAFullRelayComesBackWhenItsPauseEnds) {
    CrowdedRelay relay;
    relay.crowd(kMallory, kPorts - 1);
    relay.username = "1763009999:alice";
    auto port = std::get<CreateAllocation>(relay.request(allocate(), kAlice).front()).port;
    relay.server.handle_allocation_failed(port, relay.now);
    relay.server.handle_allocation_failed(port, relay.now + 1s);  // its other family
    relay.drain();
    EXPECT_EQ(relay.server.allocations(), kPorts - 1U);
    for (std::uint16_t i = 1; i < kPorts; ++i) {
        EXPECT_TRUE(relay.is_served({ip(kMallory), i}, kMallory + "/" + std::to_string(i)));
    }

    relay.advance(kBlockedPortPause);
    EXPECT_EQ(relay.crowd(kMallory, 1, 5000), 0U) << "not yet";
    relay.advance(1s);
    relay.username = "1763009999:bob";
    const auto commands = relay.request(allocate(), {ip(kMallory), 6000});
    ASSERT_EQ(Relay::code(commands), 0);
    EXPECT_EQ(std::get<CreateAllocation>(commands.front()).port, port);
    EXPECT_EQ(relay.crowd(kMallory, 1, 7000), 0U);
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
