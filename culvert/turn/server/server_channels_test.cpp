// Channels, data and timers: spec/relay.md sections 4.4, 5, 6, 15.1 and 15.2.

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/turn/server/server_fixture.h"

namespace culvert::turn::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const auto kAlice = at("198.51.100.1:1000");
const auto kBob = at("198.51.100.2:2000");
constexpr auto kPeer = "192.0.2.1:7000";
constexpr auto kOtherPeer = "192.0.2.1:7001";

Relay single_port(ServerConfig config = only_v4()) {
    return Relay{with_ports(std::move(config), 50000, 50000)};
}

TEST(ServerChannels, RelayBothWays) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.advance(1s);
    relay.request(bind(0x4000, kPeer), kAlice);

    EXPECT_EQ(relay.send_data(0x4000, 100, kAlice), "50000>192.0.2.1:7000 100");
    EXPECT_EQ(relay.receive_data(kPeer, 50000), "198.51.100.1:1000 16384");
    EXPECT_EQ(relay.server.poll_timeout(), relay.now + 600s);
    EXPECT_EQ(relay.server.statistics().bytes_relayed, 105U);
}

TEST(ServerChannels, RelayBothWaysOverIpv6) {
    auto relay = single_port(dual_stack());
    const auto client = at("[2001:db8:1::1]:1000");
    const auto created = relay.request(allocate_v6(), client);
    relay.request(bind(0x4000, "[2001:db8:2::2]:7000"), client);

    EXPECT_THAT(Relay::effects(created), ElementsAre(Command{CreateAllocation{50000, net::Family::kIpv6}}));
    EXPECT_EQ(relay.send_data(0x4000, 1, client), "50000>[2001:db8:2::2]:7000 1");
    EXPECT_EQ(relay.receive_data("[2001:db8:2::2]:7000", 50000), "[2001:db8:1::1]:1000 16384");
}

TEST(ServerChannels, RelayBetweenFamilies) {
    auto relay = single_port(dual_stack());
    relay.request(allocate_dual(), kAlice);
    relay.request(bind(0x4000, "[2001:db8:2::2]:7000"), kAlice);
    relay.request(bind(0x4001, kPeer), kAlice);

    EXPECT_EQ(relay.send_data(0x4000, 1, kAlice), "50000>[2001:db8:2::2]:7000 1");
    EXPECT_EQ(relay.receive_data("[2001:db8:2::2]:7000", 50000), "198.51.100.1:1000 16384");
    EXPECT_EQ(relay.receive_data(kPeer, 50000), "198.51.100.1:1000 16385");
}

TEST(ServerChannels, BindToTheRelayItselfIsAllowed) {
    auto relay = single_port();
    relay.request(allocate(), kAlice);

    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "203.0.113.50:50000"), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4001, "203.0.113.50:50001"), kAlice)), 403) << "no allocation's port";
}

TEST(ServerChannels, ExpireIntoCoolDownOnce) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    relay.advance(601s);

    EXPECT_THAT(relay.time_out(), ElementsAre(Command{DeleteChannelBinding{kAlice, 0x4000, at(kPeer), 50000}}));

    EXPECT_EQ(relay.server.poll_timeout(), relay.now + 299s);
    EXPECT_THAT(relay.time_out(), IsEmpty());
    EXPECT_EQ(relay.send_data(0x4000, 1, kAlice), "dropped");
    EXPECT_EQ(relay.receive_data(kPeer, 50000), "dropped");
}

TEST(ServerChannels, AreFreeAfterCoolDown) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    relay.advance(601s);
    relay.time_out();
    relay.advance(301s);
    EXPECT_THAT(relay.time_out(), IsEmpty());
    relay.advance(1s);

    const auto commands = relay.request(bind(0x4000, kOtherPeer), kAlice);

    EXPECT_THAT(Relay::effects(commands),
                ElementsAre(Command{CreateChannelBinding{kAlice, 0x4000, at(kOtherPeer), 50000}}));
    EXPECT_EQ(Relay::code(commands), 0);
    EXPECT_EQ(relay.server.poll_timeout(), relay.now + 600s);
}

TEST(ServerChannels, OneLateTimeoutHandlesEverythingDue) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    relay.request(bind(0x4001, kOtherPeer), kAlice);
    relay.advance(1000s);

    EXPECT_THAT(relay.time_out(), ElementsAre(Command{DeleteChannelBinding{kAlice, 0x4000, at(kPeer), 50000}},
                                              Command{DeleteChannelBinding{kAlice, 0x4001, at(kOtherPeer), 50000}}));

    EXPECT_EQ(relay.server.poll_timeout(), relay.now + 2600s);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, kOtherPeer), kAlice)), 0);
}

TEST(ServerChannels, RebindInCoolDownRestoresTheFlow) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    relay.advance(600s);
    relay.time_out();
    relay.advance(100s);

    const auto commands = relay.request(bind(0x4000, kPeer), kAlice);

    EXPECT_EQ(Relay::code(commands), 0);
    EXPECT_THAT(Relay::effects(commands), ElementsAre(Command{CreateChannelBinding{kAlice, 0x4000, at(kPeer), 50000}}));
    EXPECT_EQ(relay.send_data(0x4000, 1, kAlice), "50000>192.0.2.1:7000 1");
    EXPECT_EQ(relay.receive_data(kPeer, 50000), "198.51.100.1:1000 16384");
    EXPECT_EQ(relay.server.poll_timeout(), relay.now + 600s);
}

TEST(ServerChannels, RefreshRepeatsTheBinding) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    relay.advance(300s);

    const auto commands = relay.request(bind(0x4000, kPeer), kAlice);

    EXPECT_THAT(Relay::effects(commands), ElementsAre(Command{CreateChannelBinding{kAlice, 0x4000, at(kPeer), 50000}}));
    relay.advance(599s);
    EXPECT_THAT(relay.time_out(), IsEmpty());
    EXPECT_EQ(relay.server.bound_channels(), 1U);
}

TEST(ServerChannels, NumberAndPeerStayTogetherUntilCoolDownEnds) {
    auto relay = single_port();
    relay.request(allocate(3600), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    for (const auto wait : {0s, 600s, 299s}) {
        relay.advance(wait);
        relay.time_out();

        EXPECT_EQ(Relay::code(relay.request(bind(0x4000, kOtherPeer), kAlice)), 400);
        EXPECT_EQ(Relay::code(relay.request(bind(0x4001, kPeer), kAlice)), 400);
    }
    relay.advance(1s);
    relay.time_out();

    EXPECT_EQ(Relay::code(relay.request(bind(0x4001, kPeer), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, kOtherPeer), kAlice)), 0);
}

TEST(ServerChannels, BelongToTheirClient) {
    Relay relay{with_ports(only_v4(), 50000, 50001)};
    const auto port_of = [](const std::vector<Command>& commands) {
        return std::get<CreateAllocation>(commands.front()).port;
    };
    const auto alices = port_of(relay.request(allocate(), kAlice));
    const auto bobs = port_of(relay.request(allocate(), kBob));

    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, kPeer), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, kPeer), kBob)), 0);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4001, kOtherPeer), kBob)), 0);

    EXPECT_EQ(relay.send_data(0x4000, 1, kAlice), std::to_string(alices) + ">192.0.2.1:7000 1");
    EXPECT_EQ(relay.send_data(0x4000, 1, kBob), std::to_string(bobs) + ">192.0.2.1:7000 1");
    EXPECT_EQ(relay.send_data(0x4001, 1, kAlice), "dropped");
    EXPECT_EQ(relay.receive_data(kPeer, alices), "198.51.100.1:1000 16384");
    EXPECT_EQ(relay.receive_data(kPeer, bobs), "198.51.100.2:2000 16384");
    EXPECT_EQ(relay.receive_data(kOtherPeer, alices), "dropped");
}

TEST(ServerChannels, AcceptDataFromTheExactPeerOnly) {
    auto relay = single_port();
    relay.request(allocate(), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);

    EXPECT_EQ(relay.receive_data(kOtherPeer, 50000), "dropped");
    EXPECT_EQ(relay.receive_data("192.0.2.2:7000", 50000), "dropped");
    EXPECT_EQ(relay.receive_data(kPeer, 50001), "dropped");
    EXPECT_EQ(relay.server.statistics().dropped_without_channel, 3U);
}

TEST(ServerChannels, ForwardExactlyTheAnnouncedLength) {
    auto relay = single_port();
    relay.request(allocate(), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);

    EXPECT_EQ(relay.send_data(0x4000, 10, kAlice, 3), "50000>192.0.2.1:7000 10");
    EXPECT_EQ(relay.send_data(0x4000, 0, kAlice), "50000>192.0.2.1:7000 0");
    EXPECT_THAT(relay.receive(hex("40000005 01020304"), kAlice), IsEmpty());
    EXPECT_THAT(relay.receive(hex("400000"), kAlice), IsEmpty());
    EXPECT_THAT(relay.receive(hex("50000000"), kAlice), IsEmpty());
    EXPECT_THAT(relay.receive(hex("40010000"), kAlice), IsEmpty());
}

TEST(ServerChannels, DieWithTheirAllocation) {
    auto relay = single_port();
    relay.request(allocate(100), kAlice);
    relay.request(bind(0x4000, kPeer), kAlice);
    relay.advance(100s);

    EXPECT_THAT(relay.time_out(), ElementsAre(Command{DeleteChannelBinding{kAlice, 0x4000, at(kPeer), 50000}},
                                              Command{FreeAllocation{50000, net::Family::kIpv4}}));

    EXPECT_EQ(relay.server.poll_timeout(), std::nullopt);
    EXPECT_EQ(relay.send_data(0x4000, 1, kAlice), "dropped");
}

TEST(ServerAllocations, FreeBothFamiliesOnExpiry) {
    auto relay = single_port(dual_stack());
    relay.request(allocate_dual(), kAlice);
    relay.advance(601s);

    EXPECT_THAT(relay.time_out(), ElementsAre(Command{FreeAllocation{50000, net::Family::kIpv4}},
                                              Command{FreeAllocation{50000, net::Family::kIpv6}}));
}

TEST(ServerAllocations, WithoutLifetimeExpireAtTheNextTimeout) {
    auto relay = single_port();
    relay.request(allocate(0), kAlice);

    EXPECT_EQ(relay.server.poll_timeout(), relay.now);
    EXPECT_THAT(relay.time_out(), ElementsAre(Command{FreeAllocation{50000, net::Family::kIpv4}}));
}

TEST(ServerAllocations, CanBeRefreshedUntilTheyAreReaped) {
    auto relay = single_port();
    relay.request(allocate(10), kAlice);
    relay.advance(11s);

    EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 0);
    EXPECT_THAT(relay.time_out(), IsEmpty());
}

TEST(ServerAllocations, UseEveryPortOfTheRangeOnce) {
    auto config = with_ports(only_v4(), 50000, 50099);
    config.max_allocations_per_user = 1000;
    Relay relay{config};
    std::set<std::uint16_t> ports;
    for (std::uint16_t i = 0; i < 100; ++i) {
        const auto commands = relay.request(allocate(), {ip("198.51.100.1"), static_cast<std::uint16_t>(1000 + i)});
        ASSERT_EQ(Relay::code(commands), 0) << i;
        ports.insert(std::get<CreateAllocation>(commands.front()).port);
    }

    EXPECT_EQ(ports.size(), 100U);
    EXPECT_EQ(*ports.begin(), 50000);
    EXPECT_EQ(*ports.rbegin(), 50099);
}

/// The dumbest possible relay: a list of bindings, searched from the front.
class NaiveRelay {
public:
    struct Binding {
        net::SocketAddress client;
        std::uint16_t channel;
        net::SocketAddress peer;
        Instant expires_at;
    };
    std::map<net::SocketAddress, Instant> allocations;
    std::vector<Binding> bindings;

    void forget(Instant now) {
        std::erase_if(allocations, [&](const auto& a) { return a.second <= now; });
        std::erase_if(bindings,
                      [&](const Binding& b) { return !allocations.contains(b.client) || b.expires_at + 300s <= now; });
    }
    int bind(const Binding& wanted) {
        if (!allocations.contains(wanted.client)) {
            return 437;
        }
        for (auto& b : bindings) {
            if (b.client == wanted.client && (b.channel == wanted.channel) != (b.peer == wanted.peer)) {
                return 400;
            }
        }
        std::erase_if(bindings,
                      [&](const Binding& b) { return b.client == wanted.client && b.channel == wanted.channel; });
        bindings.push_back(wanted);
        return 0;
    }
    bool flows(const net::SocketAddress& client, std::uint16_t channel, Instant now) const {
        return std::ranges::any_of(bindings, [&](const Binding& b) {
            return b.client == client && b.channel == channel && b.expires_at > now;
        });
    }
};

TEST(ServerModel, AgreesWithAListOfBindings) {
    Rng rng = Rng::from_number(4242);
    Relay relay{with_ports(only_v4(), 50000, 50009)};
    relay.username = "9999999999:salt";
    NaiveRelay model;
    for (int step = 0; step < repetitions(6000); ++step) {
        relay.advance(std::chrono::seconds{rng.below(60)});
        relay.time_out();
        model.forget(relay.now);
        const net::SocketAddress client{ip("198.51.100.1"), static_cast<std::uint16_t>(1 + rng.below(4))};
        const auto channel = static_cast<std::uint16_t>(0x4000 + rng.below(4));
        const net::SocketAddress peer{ip("192.0.2.1"), static_cast<std::uint16_t>(1 + rng.below(4))};

        if (const auto dice = rng.below(10); dice < 2) {
            const bool known = model.allocations.contains(client);
            ASSERT_EQ(Relay::code(relay.request(allocate(3600), client)), known ? 437 : 0) << "step " << step;
            if (!known) {
                model.allocations[client] = relay.now + 3600s;
            }
        } else if (dice == 2 && rng.below(4) == 0) {
            const bool known = model.allocations.erase(client) > 0;
            model.forget(relay.now);
            ASSERT_EQ(Relay::code(relay.request(refresh(0), client)), known ? 0 : 437) << "step " << step;
        } else {
            const auto expected = model.bind({client, channel, peer, relay.now + 600s});
            ASSERT_EQ(Relay::code(relay.request(bind(channel, peer.to_string()), client)), expected) << "step " << step;
        }
        ASSERT_EQ(relay.send_data(channel, 1, client) != "dropped", model.flows(client, channel, relay.now))
            << "step " << step;
        relay.drain();
        ASSERT_EQ(relay.server.allocations(), model.allocations.size()) << "step " << step;
    }
}

}  // namespace
}  // namespace culvert::turn::test
