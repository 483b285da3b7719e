#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/base64.h"
#include "culvert/connectivity/testing/virtual_network.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

/// A client and a gateway that exchange packets over a relay and then directly.
struct Pair {
    explicit Pair(std::uint64_t seed) : network{seed} {
        network.settle();
        network.preshared_key.reveal()[0] = std::byte{0x5a};
        network.connect(client, gateway);
        network.run_for(2s);
        network.send(client, gateway, ping(1));
        network.run_for(1s);
    }

    Network network;
    Host& client = network.add_host(Role::kClient, "192.0.2.1", std::nullopt);
    Host& gateway = network.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
    Relay& relay = network.add_relay("203.0.113.21", std::nullopt);
};

TEST(NodeSnapshot, OfTheSameHistoryIsTheSame) {
    Pair a{1};
    Pair b{1};
    ASSERT_EQ(a.gateway.received.size(), 1U);

    EXPECT_EQ(a.client.node.debug_snapshot(a.network.now), b.client.node.debug_snapshot(b.network.now));
    EXPECT_EQ(a.gateway.node.debug_snapshot(a.network.now), b.gateway.node.debug_snapshot(b.network.now));
    EXPECT_EQ(a.relay.server->debug_snapshot(a.network.now), b.relay.server->debug_snapshot(b.network.now));
}

TEST(NodeSnapshot, ShowsWhatMakesADifference) {
    Pair a{1};
    const auto before = a.client.node.debug_snapshot(a.network.now);
    EXPECT_THAT(before, HasSubstr("agent role=0 state="));
    EXPECT_THAT(before, HasSubstr("session role=0"));
    EXPECT_THAT(before, HasSubstr("destination=192.0.2.2:52625"));
    EXPECT_THAT(a.relay.server->debug_snapshot(a.network.now), HasSubstr("allocation client=192.0.2.1:52625"));

    a.network.send(a.client, a.gateway, ping(2));
    EXPECT_NE(a.client.node.debug_snapshot(a.network.now), before);
}

TEST(NodeSnapshot, TellsNoSecrets) {
    Pair pair{1};
    for (const auto* host : {&pair.client, &pair.gateway}) {
        const auto text = host->node.debug_snapshot(pair.network.now);
        EXPECT_THAT(text, Not(HasSubstr(pair.relay.description.password)));
        EXPECT_THAT(text, Not(HasSubstr(to_base64(pair.network.preshared_key.reveal()))));
        EXPECT_THAT(text, Not(HasSubstr(to_hex(pair.network.preshared_key.reveal()))));
    }
}

TEST(NodeSnapshot, IsEmptyOnceThePeersAreGone) {
    Pair pair{1};
    pair.client.node.close_all(goodbye(), pair.network.now);
    pair.client.node.update_relays(std::vector{pair.relay.description.id}, {}, pair.network.now);
    pair.network.settle_node(pair.client);
    pair.network.run_for(60s);

    const auto text = pair.client.node.debug_snapshot(pair.network.now);
    EXPECT_THAT(text, HasSubstr("indices=0 ufrags=0"));
    EXPECT_THAT(text, HasSubstr("outbox transmits=0 events=0"));
    EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
}

}  // namespace
}  // namespace culvert::connectivity::testing
