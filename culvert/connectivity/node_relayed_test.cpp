#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/testing/virtual_network.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class Relayed : public ::testing::Test {
protected:
    void connect() {
        network.settle();
        network.connect(client, gateway);
        network.run_for(5s);
        ASSERT_EQ(client.count<ConnectionEstablished>(), 1U);
        ASSERT_EQ(gateway.count<ConnectionEstablished>(), 1U);
    }

    /// Whether packets get through, both ways, within a second.
    [[nodiscard]] bool has_contact() {
        gateway.received.clear();
        client.received.clear();
        network.send(client, gateway, ping(1, 1200));
        network.send(gateway, client, ping(2, 1200));
        network.run_for(1s);
        return gateway.received.size() == 1 && gateway.received[0].packet == ping(1, 1200) &&
               client.received.size() == 1 && client.received[0].packet == ping(2, 1200);
    }

    /// What `host` signalled since its events were cleared.
    template <typename E>
    [[nodiscard]] static std::vector<std::string> signalled(const Host& host) {
        std::vector<std::string> candidates;
        for (const auto& happened : host.events) {
            if (const auto* event = std::get_if<E>(&happened.event)) {
                candidates.push_back(event->candidate);
            }
        }
        return candidates;
    }

    /// In place of what it had.
    void change_relay(Host& host, const Relay& from, const Relay& to) {
        host.node.update_relays(std::vector{from.description.id}, std::vector{to.description}, network.now);
        network.settle_node(host);
    }

    [[nodiscard]] const net::SocketAddress& last_destination(const Host& host) const {
        return host.sent.back().datagram.to;
    }

    Network network;
    Host& client = network.add_host(Role::kClient, "192.0.2.1", std::nullopt);
    Host& gateway = network.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
};

TEST_F(Relayed, OneRelayCarriesAllIfTheDirectWayIsBlocked) {
    network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    EXPECT_TRUE(has_contact());
    // The best pair left is our host and the peer's relay address: only the gateway wraps its packets.
    network.send(client, gateway, ping(3));
    EXPECT_EQ(client.sent.back().datagram.payload.size(), ping(3).size() + 32);
    EXPECT_EQ(last_destination(client).ip, ip("203.0.113.21"));
    EXPECT_NE(last_destination(client).port, 3478);
    network.send(gateway, client, ping(3));
    EXPECT_EQ(gateway.sent.back().datagram.payload.size(), ping(3).size() + 36);
    EXPECT_EQ(last_destination(gateway).port, 3478);
}

TEST_F(Relayed, EachSideMayUseItsOwnRelay) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        Network net{seed};
        auto& c = net.add_host(Role::kClient, "192.0.2.1", std::nullopt);
        auto& g = net.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
        net.add_relay("203.0.113.21", std::nullopt);
        net.add_relay("203.0.113.22", std::nullopt);
        net.block_direct(c, g);
        net.settle();
        net.connect(c, g);
        net.run_for(5s);
        net.send(c, g, ping(1));
        net.run_for(1s);
        EXPECT_EQ(g.received.size(), 1U) << "seed " << seed;
    }
}

TEST_F(Relayed, SymmetricNatsOnBothSidesConnectRelayToRelay) {
    client.nat = ip("198.51.100.1");
    gateway.nat = ip("198.51.100.2");
    network.add_relay("203.0.113.21", std::nullopt);
    connect();
    EXPECT_TRUE(has_contact());
    EXPECT_EQ(last_destination(client).port, 3478);
    EXPECT_EQ(last_destination(gateway).port, 3478);
}

TEST_F(Relayed, Ipv4AndIpv6OnlyPeersMeetOnADualStackRelay) {
    client.v4.reset();
    client.v6 = ip("2001:db8:1::1");
    network.add_relay("203.0.113.21", "2001:db8:113::21");
    connect();
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, DirectPathTakesOverFromNothingAndRelayTakesOverFromIt) {
    network.add_relay("203.0.113.21", std::nullopt);
    connect();
    ASSERT_TRUE(has_contact());
    EXPECT_NE(last_destination(gateway).port, 3478);
    network.block_direct(client, gateway);
    network.run_for(20s);
    EXPECT_TRUE(has_contact());
    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);
}

TEST_F(Relayed, NoPeerUsesUpTheChannelsThatOthersNeed) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    auto& victim = network.add_host(Role::kClient, "192.0.2.3", std::nullopt);
    network.block_direct(victim, gateway);
    connect();
    const auto bound_before = relay.server->bound_channels();

    for (unsigned n = 0; n < repetitions(5000U); ++n) {
        const net::SocketAddress invented{ip("198.51.100.7"), static_cast<std::uint16_t>(1000 + n)};
        const auto candidate = ice::server_reflexive_candidate(invented, invented);
        gateway.node.add_remote_candidate(client.id, ice::to_string(*candidate), network.now);
        if (n % 50 == 0) {
            network.settle_node(gateway);
            network.run_for(100ms);
        }
    }
    network.run_for(10s);

    EXPECT_LE(relay.server->bound_channels() - bound_before, kMaxChannelsPerConnection);
    EXPECT_TRUE(has_contact()) << "the connection itself must survive what its peer says";
    network.connect(victim, gateway);
    network.run_for(5s);
    EXPECT_EQ(victim.count<ConnectionEstablished>(), 1U);
}

TEST_F(Relayed, MigratesToAnotherRelayWithinTheGracePeriod) {
    auto& first = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    ASSERT_TRUE(has_contact());

    auto& second = network.add_relay("203.0.113.22", std::nullopt);
    for (auto* host : {&client, &gateway}) {
        change_relay(*host, first, second);
    }
    first.is_up = false;
    network.run_for(3s);
    EXPECT_GT(client.count<InvalidateIceCandidate>() + gateway.count<InvalidateIceCandidate>(), 0U);
    EXPECT_EQ(client.count<ConnectionFailed>() + gateway.count<ConnectionFailed>(), 0U);
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, LossOfARelayWithdrawsItsCandidateAndNoOther) {
    auto& first = network.add_relay("203.0.113.21", std::nullopt);
    connect();
    auto& second = network.add_relay("203.0.113.22", std::nullopt);
    gateway.events.clear();
    change_relay(gateway, first, second);
    network.run_for(1s);
    EXPECT_THAT(signalled<InvalidateIceCandidate>(gateway), ElementsAre(HasSubstr(" 203.0.113.21 ")));

    gateway.events.clear();
    network.upsert(gateway, client);
    EXPECT_THAT(signalled<NewIceCandidate>(gateway),
                AllOf(Contains(HasSubstr(" 203.0.113.22 ")), Not(Contains(HasSubstr(" 203.0.113.21 ")))));
}

TEST_F(Relayed, RelayThatComesLaterIsNotOfferedToConnectionsThatHaveOne) {
    auto& first = network.add_relay("203.0.113.21", std::nullopt);
    connect();
    client.events.clear();
    auto& second = network.add_relay("203.0.113.22", std::nullopt);
    network.give_relays(client, {&first, &second});
    network.run_for(2s);
    EXPECT_EQ(client.count<NewIceCandidate>(), 0U);
}

TEST_F(Relayed, CandidatesThatComeAfterTheConnectionAreSignalled) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.give_relays(client, {&relay});
    network.give_relays(gateway, {&relay});
    network.connect(client, gateway);
    network.run_for(1s);
    EXPECT_THAT(signalled<NewIceCandidate>(client),
                UnorderedElementsAre(HasSubstr("typ host"), HasSubstr("typ srflx"), HasSubstr("typ relay")));
}

TEST_F(Relayed, SameRelaysRemovedAndListedAgainResynchronise) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    for (auto* host : {&client, &gateway}) {
        const std::vector removed{relay.description.id};
        host->node.update_relays(removed, {}, network.now);
        network.settle_node(*host);
    }
    relay.error_codes.clear();
    network.give_relays(client, {&relay});
    network.give_relays(gateway, {&relay});
    network.run_for(2s);
    EXPECT_EQ(std::ranges::count(relay.error_codes, 437), 2);
    if (!client.node.has_connection(gateway.id) || !gateway.node.has_connection(client.id)) {
        network.connect(client, gateway);
    }
    network.run_for(5s);
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, RebootedRelayWithNewCredentialsIsReplaced) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    network.reboot(relay);
    network.give_relays(client, {&relay});
    network.give_relays(gateway, {&relay});
    network.run_for(3s);
    EXPECT_GT(client.count<InvalidateIceCandidate>(), 0U);
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, UnlistedDeadRelayIsGoneAfterASecond) {
    auto& dead = network.add_relay("203.0.113.21", std::nullopt);
    auto& alive = network.add_relay("203.0.113.22", std::nullopt);
    network.settle();
    dead.is_up = false;
    network.give_relays(client, {&alive});
    network.run_for(900ms);
    const auto send_to_dead = [&] {
        Bytes datagram = *from_hex("400000021234");
        return client.node.decapsulate({*client.v4, Network::kPort}, *dead.description.v4, datagram, network.now)
            .error()
            .kind;
    };
    EXPECT_EQ(send_to_dead(), DecapsulateError::Kind::kUnknownChannel);
    network.run_for(200ms);
    EXPECT_EQ(send_to_dead(), DecapsulateError::Kind::kUnknownRelay);
}

TEST_F(Relayed, EqualRelaysListedAgainAreLeftAlone) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    client.sent.clear();
    client.node.update_relays({}, std::vector{relay.description}, network.now);
    network.settle_node(client);
    EXPECT_TRUE(client.sent.empty());
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, LongIdlePathResumesOnTheSameChannels) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    for (int round = 0; round < 2; ++round) {
        network.run_for(6min);
        relay.error_codes.clear();
        EXPECT_TRUE(has_contact()) << "round " << round;
        EXPECT_EQ(std::ranges::count(relay.error_codes, 400), 0);
    }
    EXPECT_EQ(client.count<ConnectionFailed>() + gateway.count<ConnectionFailed>(), 0U);
}

TEST_F(Relayed, TakesTheNearestRelay) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Network net{seed};
        auto& c = net.add_host(Role::kClient, "192.0.2.1", std::nullopt);
        auto& g = net.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
        net.add_relay("203.0.113.21", std::nullopt);
        net.add_relay("203.0.113.22", std::nullopt);
        net.delay_of = [&](const Datagram& datagram) {
            const bool is_far = datagram.from.ip == ip("203.0.113.22") || datagram.to.ip == ip("203.0.113.22");
            return is_far ? 5 * net.delay : net.delay;
        };
        net.block_direct(c, g);
        net.settle();
        net.connect(c, g);
        net.run_for(5s);
        net.send(c, g, ping(1));
        net.send(g, c, ping(1));
        EXPECT_EQ(c.sent.back().datagram.to.ip, ip("203.0.113.21")) << "seed " << seed;
        EXPECT_EQ(g.sent.back().datagram.to.ip, ip("203.0.113.21")) << "seed " << seed;
    }
}

TEST_F(Relayed, RelaysBesideEachOtherShareTheLoad) {
    std::set<net::IpAddress> used;
    for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        Network net{seed};
        auto& c = net.add_host(Role::kClient, "192.0.2.1", std::nullopt);
        auto& g = net.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
        net.add_relay("203.0.113.21", std::nullopt);
        net.add_relay("203.0.113.22", std::nullopt);
        net.block_direct(c, g);
        net.settle();
        net.connect(c, g);
        net.run_for(5s);
        net.send(c, g, ping(1));
        used.insert(c.sent.back().datagram.to.ip);
    }
    EXPECT_EQ(used.size(), 2U);
}

TEST_F(Relayed, ARelayThatComesBackIsUsedAgain) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    network.settle();
    relay.is_up = false;
    network.run_for(45s);
    EXPECT_FALSE(client.node.has_relays());
    EXPECT_EQ(
        client.node.upsert_connection(gateway.id, gateway.node.public_key(), {}, {"a", "b"}, {"c", "d"}, network.now)
            .error(),
        UpsertError::kNoRelays);

    relay.is_up = true;
    network.run_for(60s);
    EXPECT_TRUE(client.node.has_relays());
    network.connect(client, gateway);
    network.run_for(5s);
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, AConnectionGetsItsOnlyRelayBack) {
    auto& relay = network.add_relay("203.0.113.21", std::nullopt);
    connect();
    relay.is_up = false;
    const auto talk = [&](Duration duration) {
        for (const auto end = network.now + duration; network.now < end;) {
            network.send(client, gateway, ping(1));
            network.run_for(1s);
        }
    };
    talk(60s);
    EXPECT_TRUE(has_contact());
    relay.is_up = true;
    talk(90s);
    network.block_direct(client, gateway);
    talk(30s);
    EXPECT_TRUE(has_contact());
    EXPECT_EQ(client.count<ConnectionFailed>() + gateway.count<ConnectionFailed>(), 0U);
}

TEST_F(Relayed, GoesBackToADirectPathWithoutLosingAPacket) {
    network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    const auto talk = [&](int seconds) {
        std::size_t lost = 0;
        for (int i = 0; i < 10 * seconds; ++i) {
            client.received.clear();
            gateway.received.clear();
            network.send(client, gateway, ping(1));
            network.send(gateway, client, ping(2));
            network.run_for(100ms);
            lost += 2 - std::min<std::size_t>(client.received.size() + gateway.received.size(), 2);
        }
        return lost;
    };
    EXPECT_EQ(talk(60), 0U);  // all direct pairs have failed
    ASSERT_EQ(last_destination(gateway).ip, ip("203.0.113.21"));

    network.is_lost = nullptr;
    EXPECT_EQ(talk(90), 0U);
    EXPECT_EQ(last_destination(client).ip, *gateway.v4);
    EXPECT_EQ(last_destination(gateway).ip, *client.v4);
}

TEST_F(Relayed, LooksForADirectPathLessAndLessOften) {
    network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    const auto count_direct = [&](Duration duration) {
        client.sent.clear();
        for (const auto end = network.now + duration; network.now < end;) {
            network.send(client, gateway, ping(1));
            network.run_for(10s);
        }
        return std::ranges::count_if(client.sent, [&](const auto& sent) { return gateway.owns(sent.datagram.to.ip); });
    };
    EXPECT_GE(count_direct(60s), 2 * ice::kDefaultTiming.max_retransmits);
    network.run_for(30min);
    (void)count_direct(30min);
    EXPECT_LE(count_direct(60min), 7 * ice::kDefaultTiming.max_retransmits);
}

TEST_F(Relayed, RestsAlsoWhereOnlyNominatedPairsAreLeft) {
    network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    network.run_for(60s);
    for (auto* host : {&client, &gateway}) {
        host->sent.clear();
    }
    network.run_for(100s);
    // Two relayed pairs, checked every 25 s by both and answered; that is 16. The rest is between client and relay.
    EXPECT_LE(client.sent.size(), 30U);
    EXPECT_LE(gateway.sent.size(), 30U);
    EXPECT_TRUE(has_contact());
}

TEST_F(Relayed, StaysUpForAnHourOfTraffic) {
    network.add_relay("203.0.113.21", std::nullopt);
    network.block_direct(client, gateway);
    connect();
    gateway.received.clear();
    const auto rounds = repetitions(360U);
    for (unsigned i = 0; i < rounds; ++i) {
        network.send(client, gateway, ping(static_cast<std::uint8_t>(i)));
        network.run_for(10s);
        client.sent.clear();
        gateway.sent.clear();
    }
    EXPECT_GE(gateway.received.size() + 2, rounds);
    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);
}

}  // namespace
}  // namespace culvert::connectivity::testing
