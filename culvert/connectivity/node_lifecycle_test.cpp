#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/testing/virtual_network.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;

class Lifecycle : public ::testing::Test {
protected:
    void SetUp() override { network.settle(); }

    void connect() {
        network.connect(client, gateway);
        network.run_for(2s);
        ASSERT_EQ(client.count<ConnectionEstablished>(), 1U);
    }

    [[nodiscard]] bool has_contact() {
        gateway.received.clear();
        client.received.clear();
        network.send(client, gateway, ping(1));
        network.send(gateway, client, ping(2));
        network.run_for(1s);
        return gateway.received.size() == 1 && client.received.size() == 1;
    }

    [[nodiscard]] static std::size_t count_sent(const Host& host, Wire kind) {
        return static_cast<std::size_t>(std::ranges::count_if(
            host.sent, [&](const auto& sent) { return wire_kind(sent.datagram.payload) == kind; }));
    }

    Network network;
    Host& client = network.add_host(Role::kClient, "192.0.2.1", std::nullopt);
    Host& gateway = network.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
    Relay& relay = network.add_relay("203.0.113.21", std::nullopt);
};

TEST_F(Lifecycle, WithoutCandidatesItFailsAfterTenSeconds) {
    client.is_signalling = gateway.is_signalling = false;
    const auto start = network.now;
    network.connect(client, gateway);
    network.run_for(20s);
    EXPECT_EQ(client.times_of<ConnectionFailed>(), (std::vector{start + 10s}));
    EXPECT_EQ(gateway.times_of<ConnectionFailed>(), (std::vector{start + 10s}));
    EXPECT_FALSE(client.node.has_connection(gateway.id));
}

TEST_F(Lifecycle, PeersMayNotSignalCandidatesWithoutEnd) {
    connect();
    const auto signal = [&](const std::string& priority, const std::string& address) {
        gateway.node.add_remote_candidate(client.id, "candidate:1 1 udp " + priority + " " + address + " typ host",
                                          network.now);
    };
    const auto is_checked = [&](std::string_view address) {
        return std::ranges::any_of(gateway.sent, [&](const auto& sent) { return sent.datagram.to == at(address); });
    };
    for (int i = 1; i <= kCandidateBurst; ++i) {
        signal("1", "192.0.2.66 " + std::to_string(i));
    }
    signal("2130706431", "192.0.2.77 1");
    network.run_for(1s);
    EXPECT_FALSE(is_checked("192.0.2.77:1"));

    signal("2130706431", "192.0.2.77 1");
    network.run_for(1s);
    EXPECT_TRUE(is_checked("192.0.2.77:1"));
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, RepeatedCandidatesDoNotCountAgainstAPeer) {
    connect();
    const auto signal = [&](const std::string& address) {
        gateway.node.add_remote_candidate(client.id, "candidate:1 1 udp 2130706431 " + address + " typ host",
                                          network.now);
    };
    for (int i = 0; i <= 2 * kCandidateBurst; ++i) {
        signal("192.0.2.66 1");
    }
    signal("192.0.2.77 1");
    network.run_for(1s);
    EXPECT_TRUE(
        std::ranges::any_of(gateway.sent, [&](const auto& sent) { return sent.datagram.to == at("192.0.2.77:1"); }));
}

TEST_F(Lifecycle, FamiliesThatDoNotMeetFailAfterTheGracePeriod) {
    auto& v6_only = network.add_host(Role::kGateway, std::nullopt, "2001:db8:2::2");
    auto& v6_relay = network.add_relay(std::nullopt, "2001:db8:113::22");
    network.give_relays(v6_only, {&v6_relay});
    network.run_for(1s);
    const auto start = network.now;
    network.connect(client, v6_only);
    network.run_for(5s);
    EXPECT_EQ(client.times_of<ConnectionFailed>(), (std::vector{start + 2s}));
    EXPECT_EQ(v6_only.times_of<ConnectionFailed>(), (std::vector{start + 2s}));
}

TEST_F(Lifecycle, VanishedPeerIsNoticedWithinTwentySecondsOfTraffic) {
    connect();
    gateway.is_up = false;
    const auto start = network.now;
    for (int i = 0; i < 25; ++i) {
        network.send(client, gateway, ping(1));
        network.run_for(1s);
    }
    ASSERT_EQ(client.count<ConnectionFailed>(), 1U);
    EXPECT_LE(client.times_of<ConnectionFailed>()[0], start + 20s);
}

TEST_F(Lifecycle, IdleConnectionSavesChecksUntilTheFirstPacket) {
    connect();
    network.run_for(60s);
    client.sent.clear();
    network.run_for(100s);
    const auto pairs = 9U;  // host, optimistic, relay: at most this many
    EXPECT_LE(count_sent(client, Wire::kCheck) + count_sent(client, Wire::kNominatingCheck), 5 * pairs);

    client.sent.clear();
    const auto start = network.now;
    network.send(client, gateway, ping(1));
    network.run_for(1500ms);
    EXPECT_GE(count_sent(client, Wire::kNominatingCheck), 1U);
    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);

    network.run_for(60s);
    gateway.is_up = false;
    const auto resumed = network.now;
    network.send(client, gateway, ping(2));
    network.run_for(30s);
    ASSERT_EQ(client.count<ConnectionFailed>(), 1U);
    EXPECT_LE(client.times_of<ConnectionFailed>()[0], resumed + 18600ms);
    EXPECT_GT(resumed, start);
}

TEST_F(Lifecycle, IdleClientRenewsItsSessionAndTheGatewayDoesNot) {
    connect();
    client.sent.clear();
    gateway.sent.clear();
    network.run_for(200s);
    EXPECT_EQ(count_sent(client, Wire::kInitiation), 1U);
    EXPECT_EQ(count_sent(gateway, Wire::kInitiation), 0U);
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, ClosingSaysGoodbyeOnceAndTellsTheCaller) {
    connect();
    gateway.node.close_connection(client.id, goodbye(), network.now);
    network.settle_node(gateway);
    EXPECT_EQ(gateway.count<ConnectionClosed>(), 1U);
    EXPECT_FALSE(gateway.node.has_connection(client.id));
    network.run_for(100ms);
    ASSERT_EQ(client.received.size(), 1U);
    EXPECT_EQ(client.received[0].packet, goodbye());
}

TEST_F(Lifecycle, ClosingWhileConnectingIsSilent) {
    network.connect(client, gateway);
    client.sent.clear();
    client.node.close_all(goodbye(), network.now);
    network.settle_node(client);
    EXPECT_EQ(client.count<ConnectionClosed>(), 0U);
    EXPECT_EQ(count_sent(client, Wire::kData), 0U);
    EXPECT_FALSE(client.node.has_connection(gateway.id));
}

TEST_F(Lifecycle, RestartedGatewayReplacesTheConnection) {
    connect();
    auto& restarted = network.add_host(Role::kGateway, "192.0.2.3", std::nullopt);
    std::swap(restarted.id, gateway.id);  // the same gateway, with a new key and another address
    gateway.is_up = false;
    network.give_relays(restarted, {&relay});
    network.run_for(1s);
    network.credentials_epoch = "b";
    network.connect(client, restarted);
    network.run_for(3s);
    EXPECT_EQ(client.count<ConnectionEstablished>(), 2U);
    EXPECT_EQ(client.count<ConnectionFailed>() + client.count<ConnectionClosed>(), 0U);
    network.send(client, restarted, ping(5));
    network.run_for(100ms);
    ASSERT_EQ(restarted.received.size(), 1U);
}

TEST_F(Lifecycle, ClientThatForgotIsTakenBackByAnIdleGateway) {
    connect();
    network.run_for(60s);
    client.node.forget_connection(gateway.id, network.now);
    network.settle_node(client);
    network.run_for(1s);
    gateway.events.clear();
    network.connect(client, gateway);
    EXPECT_GE(gateway.count<NewIceCandidate>(), 2U);
    network.run_for(3s);
    EXPECT_EQ(gateway.count<ConnectionFailed>(), 0U);
    EXPECT_EQ(gateway.count<ConnectionEstablished>(), 0U) << "it is the same connection";
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, GatewayThatForgotIsBroughtBackByTheClientsHandshake) {
    connect();
    network.run_for(30s);
    gateway.node.forget_connection(client.id, network.now);
    network.settle_node(gateway);
    network.connect(client, gateway);
    network.run_for(5s);
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, OtherPresharedKeyMeansAnotherConnection) {
    connect();
    network.preshared_key = crypto::PresharedKey{std::array<std::byte, 32>{std::byte{1}}};
    client.events.clear();
    network.connect(client, gateway);
    network.run_for(3s);
    EXPECT_EQ(client.count<ConnectionEstablished>(), 1U);
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, RepeatedUpsertsCauseOneHandshake) {
    connect();
    network.run_for(30s);
    client.sent.clear();
    network.upsert(client, gateway);
    network.run_for(5s);
    network.upsert(client, gateway);
    network.run_for(5s);
    EXPECT_EQ(count_sent(client, Wire::kInitiation), 1U);
    EXPECT_EQ(client.count<ConnectionEstablished>(), 1U);
}

TEST_F(Lifecycle, ResetForgetsEverythingAndChangesTheKey) {
    connect();
    const auto key = client.node.public_key();
    client.node.reset(network.now);
    network.settle_node(client);
    EXPECT_NE(client.node.public_key(), key);
    EXPECT_FALSE(client.node.has_relays());
    EXPECT_EQ(client.count<ConnectionClosed>(), 1U);

    // The network gives the same address again: the old allocation is still there.
    network.give_relays(client, {&relay});
    network.run_for(1s);
    EXPECT_GE(std::ranges::count(relay.error_codes, 437), 1);
    network.credentials_epoch = "b";
    network.connect(client, gateway);
    network.run_for(3s);
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, LossOfAllRelaysLeavesDirectConnectionsAlone) {
    connect();
    relay.is_up = false;
    network.run_for(120s);
    EXPECT_FALSE(client.node.has_relays());
    EXPECT_TRUE(has_contact());
}

TEST(IdleBehindNat, AnswersHandshakesWhereTheyComeFromAfterTheNatForgotThePath) {
    Network network;
    auto& client = network.add_host(Role::kClient, "10.0.0.1", std::nullopt);
    auto& gateway = network.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
    network.add_relay("203.0.113.21", std::nullopt);
    client.nat = net::IpAddress::parse("192.0.2.9");
    network.settle();
    network.connect(client, gateway);
    network.run_for(1s);
    network.send(client, gateway, ping(1));
    network.run_for(55s);

    std::erase_if(client.mappings, [&](const auto& mapping) { return mapping.first.second.ip == gateway.v4; });
    network.run_for(120s);
    network.send(client, gateway, ping(2));
    network.run_for(10s);

    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);
    EXPECT_EQ(gateway.received.size(), 2U);
}

TEST_F(Lifecycle, NominationWhileIdleDoesNotWakeUp) {
    connect();
    network.run_for(60s);
    network.block_direct(client, gateway);
    network.run_for(200s);  // the direct pair dies slowly, the relayed one takes over
    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);
    client.sent.clear();
    network.run_for(20s);
    EXPECT_LE(count_sent(client, Wire::kNominatingCheck), 4U);
    EXPECT_TRUE(has_contact());
}

TEST_F(Lifecycle, DoesNotBecomeIdleWhileItLooksForAPath) {
    connect();
    network.is_lost = [](const Datagram&) { return true; };
    // Addresses that never answer keep the agent checking; host candidates are no activity.
    for (int i = 1; i <= 4; ++i) {
        const auto candidate = "candidate:1 1 udp 2130706175 192.0.2.10" + std::to_string(i) + " 1 typ host";
        client.node.add_remote_candidate(gateway.id, candidate, network.now);
        network.settle_node(client);
        network.run_for(10s);
    }
    ASSERT_TRUE(client.node.has_connection(gateway.id));
    client.sent.clear();
    network.run_for(4s);
    EXPECT_GE(count_sent(client, Wire::kCheck), 2U);
}

TEST_F(Lifecycle, RelayCandidateOfThePeerWakesUp) {
    connect();
    network.run_for(60s);
    client.sent.clear();
    client.node.add_remote_candidate(gateway.id, "candidate:1 1 udp 33562367 203.0.113.99 50000 typ relay",
                                     network.now);
    network.settle_node(client);
    network.run_for(5s);
    EXPECT_GE(count_sent(client, Wire::kCheck), 3U);
}

TEST_F(Lifecycle, ManyClientsAtOnceAreToldApart) {
    std::vector<Host*> clients;
    for (int i = 0; i < 40; ++i) {
        clients.push_back(&network.add_host(Role::kClient, "192.0.2." + std::to_string(100 + i), std::nullopt));
        network.give_relays(*clients.back(), {&relay});
    }
    network.run_for(1s);
    for (auto* each : clients) {
        network.connect(*each, gateway);
    }
    network.run_for(3s);
    EXPECT_EQ(gateway.count<ConnectionEstablished>(), clients.size());
    for (std::uint8_t i = 0; i < clients.size(); ++i) {
        network.send(*clients[i], gateway, ping(i));
        network.send(gateway, *clients[i], ping(i));
    }
    network.run_for(100ms);
    ASSERT_EQ(gateway.received.size(), clients.size());
    for (const auto& received : gateway.received) {
        const auto i = static_cast<std::size_t>(received.packet.back());
        EXPECT_EQ(received.connection, clients[i]->id);
    }
    for (std::uint8_t i = 0; i < clients.size(); ++i) {
        ASSERT_EQ(clients[i]->received.size(), 1U);
        EXPECT_EQ(clients[i]->received[0].packet, ping(i));
    }

    // Half of them vanish; the others do not notice.
    for (std::size_t i = 0; i < clients.size(); i += 2) {
        clients[i]->is_up = false;
    }
    network.run_for(130s);
    gateway.received.clear();
    for (std::uint8_t i = 1; i < clients.size(); i += 2) {
        network.send(*clients[i], gateway, ping(i));
    }
    network.run_for(100ms);
    EXPECT_EQ(gateway.received.size(), clients.size() / 2);
    EXPECT_EQ(gateway.count<ConnectionFailed>(), clients.size() / 2);
}

TEST(NodeDeterminism, SameSeedSameBytes) {
    const auto run = [](std::uint64_t seed) {
        Network network{seed};
        auto& c = network.add_host(Role::kClient, "192.0.2.1", "2001:db8:1::1");
        auto& g = network.add_host(Role::kGateway, "192.0.2.2", "2001:db8:2::2");
        network.add_relay("203.0.113.21", "2001:db8:113::21");
        network.settle();
        network.connect(c, g);
        network.run_for(3s);
        network.send(c, g, ping(1));
        std::vector<std::pair<Instant, Bytes>> log;
        for (const auto* host : {&c, &g}) {
            for (const auto& sent : host->sent) {
                log.emplace_back(sent.at, sent.datagram.payload);
            }
        }
        return log;
    };
    EXPECT_EQ(run(1), run(1));
    EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace culvert::connectivity::testing
