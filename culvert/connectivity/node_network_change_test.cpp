// The host's network changes under connections that are in use (spec/connectivity.md section 9.4).

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "culvert/connectivity/testing/virtual_network.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;

class NetworkChange : public ::testing::Test {
protected:
    void SetUp() override {
        network.settle();
        network.connect(client, gateway);
        network.run_for(2s);
        ASSERT_EQ(client.count<ConnectionEstablished>(), 1U);
    }

    void move(Host& host, const char* v4, const char* v6) {
        host.v4 = v4 != nullptr ? std::optional{ip(v4)} : std::nullopt;
        host.v6 = v6 != nullptr ? std::optional{ip(v6)} : std::nullopt;
        std::vector<net::IpAddress> addresses;
        for (const auto& address : {host.v4, host.v6}) {
            if (address) {
                addresses.push_back(*address);
            }
        }
        std::vector<net::SocketAddress> sockets;
        std::ranges::transform(addresses, std::back_inserter(sockets),
                               [](const auto& address) { return net::SocketAddress{address, Network::kPort}; });
        host.node.set_local_sockets(sockets);
        host.node.handle_network_change(addresses, network.now);
        network.settle_node(host);
    }

    /// Sends one packet each way every 50 ms; how long it takes until both arrive.
    Duration outage(Duration limit = 30s) {
        const auto begin = network.now;
        while (network.now - begin < limit) {
            const auto at_client = client.received.size();
            const auto at_gateway = gateway.received.size();
            network.send(client, gateway, ping(1));
            network.send(gateway, client, ping(2));
            network.run_for(50ms);
            if (client.received.size() > at_client && gateway.received.size() > at_gateway) {
                return network.now - begin;
            }
        }
        ADD_FAILURE() << "no traffic any more";
        return limit;
    }

    [[nodiscard]] std::vector<std::string> withdrawn(const Host& host) const {
        std::vector<std::string> candidates;
        for (const auto& happened : host.events) {
            if (const auto* event = std::get_if<InvalidateIceCandidate>(&happened.event)) {
                candidates.push_back(event->candidate);
            }
        }
        return candidates;
    }

    Network network;
    Host& client = network.add_host(Role::kClient, "192.0.2.1", "2001:db8:1::1");
    Host& gateway = network.add_host(Role::kGateway, "192.0.2.2", "2001:db8:2::2");
    Relay& relay = network.add_relay("203.0.113.21", "2001:db8:113::21");
};

TEST_F(NetworkChange, ConnectionsMoveToTheNewAddressOfAClient) {
    const auto key = client.node.public_key();
    move(client, "198.51.100.7", "2001:db8:7::7");
    EXPECT_LT(outage(), 500ms);
    EXPECT_EQ(client.node.public_key(), key);
    EXPECT_EQ(client.count<ConnectionClosed>() + client.count<ConnectionFailed>(), 0U);
    EXPECT_EQ(client.node.send_path(gateway.id)->source->ip, ip("2001:db8:7::7"));
    EXPECT_EQ(gateway.node.send_path(client.id)->destination.ip, ip("2001:db8:7::7"));
}

TEST_F(NetworkChange, WithoutThePortalTheGatewayFollowsWhatTheClientProves) {
    client.is_signalling = gateway.is_signalling = false;
    move(client, "198.51.100.7", "2001:db8:7::7");
    EXPECT_LT(outage(), 2500ms);
    network.run_for(1s);
    EXPECT_TRUE(client.owns(gateway.node.send_path(client.id)->destination.ip));
}

TEST_F(NetworkChange, ConnectionsMoveToTheNewAddressOfAGateway) {
    move(gateway, "198.51.100.7", "2001:db8:7::7");
    EXPECT_LT(outage(), 500ms);
    EXPECT_EQ(client.node.send_path(gateway.id)->destination.ip, ip("2001:db8:7::7"));
}

TEST_F(NetworkChange, PeersHearWhichAddressesAreGone) {
    move(client, "198.51.100.7", "2001:db8:7::7");
    network.run_for(3s);
    const auto gone = withdrawn(client);
    for (const auto* address : {" 192.0.2.1 ", " 2001:db8:1::1 "}) {
        for (const auto* kind : {"typ host", "typ srflx"}) {
            EXPECT_EQ(std::ranges::count_if(gone,
                                            [&](const std::string& text) {
                                                return text.find(address) != std::string::npos &&
                                                       text.find(kind) != std::string::npos;
                                            }),
                      1)
                << kind << address;
        }
    }
    EXPECT_EQ(std::ranges::count_if(gone, [](const auto& text) { return text.find("typ relay") != std::string::npos; }),
              2)
        << "the relay keeps allocations by address";
}

TEST_F(NetworkChange, AnotherAddressBesidesDisturbsNothing) {
    const auto path = client.node.send_path(gateway.id);
    client.node.handle_network_change(std::vector{*client.v4, *client.v6, ip("10.1.1.1"), ip("2001:db8:7::7")},
                                      network.now);
    network.settle_node(client);
    EXPECT_LE(outage(), 50ms) << "the first packets arrive";
    network.run_for(30s);
    EXPECT_TRUE(withdrawn(client).empty());
    EXPECT_EQ(client.node.send_path(gateway.id)->activated_at, path->activated_at);
}

TEST_F(NetworkChange, AnAddressThatComesBackIsUsedAgainAlthoughNotAllRelaysSawItGo) {
    auto& other = network.add_relay("203.0.113.22", "2001:db8:113::22");
    network.give_relays(client, {&relay, &other});
    network.run_for(1s);
    for (auto* mute : {&relay, &other}) {
        mute->is_up = false;
        move(client, "198.51.100.7", "2001:db8:7::7");
        network.run_for(1s);
        mute->is_up = true;
        move(client, "192.0.2.1", "2001:db8:1::1");
        EXPECT_LT(outage(), 5s);
        network.run_for(5s);
        const auto path = client.node.send_path(gateway.id);
        EXPECT_EQ(path->source, at("[2001:db8:1::1]:52625")) << "not by a relay";
    }
}

TEST_F(NetworkChange, ARelayIsReachedInTheFamilyThatIsLeft) {
    network.block_direct(client, gateway);
    EXPECT_LT(outage(), 30s);
    move(client, "192.0.2.1", nullptr);
    EXPECT_LT(outage(), 5s);
    move(client, nullptr, "2001:db8:1::1");
    EXPECT_LT(outage(), 5s);
}

TEST_F(NetworkChange, ASleepingConnectionIsMovedAsWell) {
    network.run_for(40s);
    move(client, "198.51.100.7", "2001:db8:7::7");
    network.run_for(1s);
    EXPECT_EQ(gateway.node.send_path(client.id)->destination.ip, ip("2001:db8:7::7"));
}

TEST_F(NetworkChange, AHostWithoutNetworkWaitsForOne) {
    client.is_up = false;
    move(client, nullptr, nullptr);
    network.run_for(5s);
    client.is_up = true;
    move(client, "198.51.100.7", "2001:db8:7::7");
    EXPECT_LT(outage(), 2500ms);
    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);
}

TEST_F(NetworkChange, ASilentRelayKeepsNoAddressThatIsGone) {
    auto& other = network.add_relay("203.0.113.22", "2001:db8:113::22");
    network.give_relays(client, {&relay, &other});
    network.run_for(1s);
    other.is_up = false;
    move(client, "198.51.100.7", "2001:db8:7::7");
    network.run_for(1s);
    const auto gone = withdrawn(client);
    EXPECT_EQ(std::ranges::count_if(
                  gone, [](const auto& text) { return text.contains(" 192.0.2.1 ") && text.contains("typ host"); }),
              1);
}

TEST_F(NetworkChange, ALostRelayIsTriedAtOnceInTheNewNetwork) {
    relay.is_up = false;
    network.run_for(10min);
    ASSERT_FALSE(client.node.has_relays());
    relay.is_up = true;
    move(client, "198.51.100.7", "2001:db8:7::7");
    network.run_for(100ms);
    EXPECT_TRUE(client.node.has_relays());
}

TEST(NetworkChangeWithoutRelays, ConnectionsMoveToTheHostsOwnAddresses) {
    Network network;
    auto& client = network.add_host(Role::kClient, "192.0.2.9", std::nullopt);
    auto& gateway = network.add_host(Role::kGateway, "198.51.100.9", std::nullopt);
    client.node.set_local_sockets(std::vector{at("192.0.2.9:52625"), at("10.1.1.1:52625")});
    gateway.node.set_local_sockets(std::vector{at("198.51.100.9:52625")});
    network.connect(client, gateway);
    network.run_for(3s);
    ASSERT_EQ(client.count<ConnectionEstablished>(), 1U);

    client.v4 = ip("192.0.2.77");
    client.node.set_local_sockets(std::vector{at("192.0.2.77:52625"), at("10.1.1.1:52625")});
    client.node.handle_network_change(std::vector{ip("192.0.2.77"), ip("10.1.1.1")}, network.now);
    network.settle_node(client);
    network.run_for(500ms);
    EXPECT_EQ(gateway.node.send_path(client.id)->destination.ip, ip("192.0.2.77"));
    network.send(client, gateway, ping(1));
    network.send(gateway, client, ping(2));
    network.run_for(500ms);
    EXPECT_EQ(client.received.size(), 1U);
    EXPECT_EQ(gateway.received.size(), 1U);
    std::vector<std::string> gone;
    for (const auto& happened : client.events) {
        if (const auto* event = std::get_if<InvalidateIceCandidate>(&happened.event)) {
            gone.push_back(event->candidate);
        }
    }
    ASSERT_EQ(gone.size(), 1U) << "the address that is still there is not withdrawn";
    EXPECT_TRUE(gone.front().contains(" 192.0.2.9 "));
}

}  // namespace
}  // namespace culvert::connectivity::testing
