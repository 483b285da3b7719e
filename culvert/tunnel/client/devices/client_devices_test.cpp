#include "culvert/tunnel/client/devices/client_devices.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/device_network.h"
#include "culvert/tunnel/testing/test_values.h"

// Two honest clients and the portal between them.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

Bytes udp_packet(std::string_view source, std::string_view destination, std::uint8_t number = 0) {
    return packet::make_udp(socket(source), socket(destination), Bytes(1, std::byte{number}));
}
Bytes tcp_packet(std::string_view source, std::string_view destination, std::uint8_t flags = packet::kTcpSyn) {
    return packet::make_tcp(socket(source), socket(destination), {.flags = flags}, {});
}
bool is_prohibition(const Bytes& bytes) {
    auto copy = bytes;
    const auto packet = packet::IpPacket::parse(copy);
    return packet && packet->is_icmp() && packet->icmp_type() == 3 && packet->icmp_code() == 13;
}

class ClientDevicesTest : public ::testing::Test {
protected:
    void SetUp() override { network.run_for(1s); }

    /// What `to` gets of a packet that `from` sends.
    std::vector<Bytes> pass(std::uint8_t from, std::uint8_t to, const Bytes& packet, Duration wait = 3s) {
        network.clients.at(to).received.clear();
        network.send(from, packet);
        network.run_for(wait);
        return network.clients.at(to).received;
    }
    auto& client(std::uint8_t number) { return network.clients.at(number); }

    DeviceNetwork network{3};
    const Bytes to_two = udp_packet("100.64.0.1:1000", "100.64.0.2:53");
    const Bytes from_two = udp_packet("100.64.0.2:53", "100.64.0.1:1000");
};

TEST_F(ClientDevicesTest, ReachesADeviceAndGetsAnswers) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});

    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two}) << "the packet waited";
    EXPECT_EQ(pass(2, 1, from_two), std::vector<Bytes>{from_two});
    ASSERT_EQ(client(1).requests.size(), 1U);
    EXPECT_EQ(client(1).requests.front(), (portal_api::CreateFlow{id<ResourceId>(10), {}, "100.64.0.2", {}}));
    EXPECT_TRUE(client(2).requests.empty());
}

TEST_F(ClientDevicesTest, ReachesADeviceByItsOtherAddress) {
    network.put_pool(10, {1}, {2});
    const auto packet = udp_packet("[fd00:2021:1111::1]:1", "[fd00:2021:1111::2]:2");

    EXPECT_EQ(pass(1, 2, packet), std::vector<Bytes>{packet});
    EXPECT_EQ(client(1).requests.front().ipv6, "fd00:2021:1111::2");
    EXPECT_EQ(client(1).requests.front().ipv4, std::nullopt);
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two});
    EXPECT_EQ(client(1).requests.size(), 1U) << "is let through to the device, not to the address";
}

TEST_F(ClientDevicesTest, ReachesADeviceThroughTheRelay) {
    network.is_lost = [](const net::SocketAddress& from, const net::SocketAddress& to) {
        return from.ip != ip("203.0.113.21") && to.ip != ip("203.0.113.21");
    };
    network.put_pool(10, {1}, {2}, {udp(53, 53)});

    EXPECT_EQ(pass(1, 2, to_two, 10s), std::vector<Bytes>{to_two});
    EXPECT_EQ(pass(2, 1, from_two), std::vector<Bytes>{from_two});
}

TEST_F(ClientDevicesTest, WhicheverOfTheTwoLeads) {
    network.put_pool(10, {2}, {1});
    const auto packet = udp_packet("100.64.0.2:1000", "100.64.0.1:53");

    EXPECT_EQ(pass(2, 1, packet), std::vector<Bytes>{packet}) << "the one who asks has the higher id, and follows";
}

TEST_F(ClientDevicesTest, BothReachEachOtherOverOneConnection) {
    network.put_pool(10, {1, 2}, {1, 2});

    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two});
    const auto back = udp_packet("100.64.0.2:2000", "100.64.0.1:53");
    EXPECT_EQ(pass(2, 1, back), std::vector<Bytes>{back});
    EXPECT_EQ(client(2).requests.size(), 1U);
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two}) << "goes on";
    EXPECT_EQ(client(1).requests.size(), 1U);
}

TEST_F(ClientDevicesTest, RoutesToDevicesButNotToItself) {
    network.put_pool(10, {1}, {1, 2});
    network.run_for(10ms);

    const auto& routes = client(1).tun_config->ipv4_routes;
    EXPECT_EQ(std::ranges::count(routes, test::network("100.64.0.2/32")), 1);
    EXPECT_EQ(std::ranges::count(routes, test::network("100.64.0.1/32")), 0);
    EXPECT_EQ(std::ranges::count(client(1).tun_config->ipv6_routes, test::network("fd00:2021:1111::2/128")), 1);

    network.put_pool(10, {1}, {1, 3});
    network.run_for(10ms);
    EXPECT_EQ(std::ranges::count(client(1).tun_config->ipv4_routes, test::network("100.64.0.2/32")), 0);
    EXPECT_EQ(std::ranges::count(client(1).tun_config->ipv4_routes, test::network("100.64.0.3/32")), 1);
    network.remove_pool(10);
    network.run_for(10ms);
    EXPECT_EQ(std::ranges::count(client(1).tun_config->ipv4_routes, test::network("100.64.0.3/32")), 0);
}

TEST_F(ClientDevicesTest, FiltersWhatItSends) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});

    EXPECT_TRUE(pass(1, 2, udp_packet("100.64.0.1:1000", "100.64.0.2:54")).empty());
    EXPECT_TRUE(client(1).requests.empty()) << "nobody is asked for what is not permitted anyway";
    ASSERT_EQ(client(1).received.size(), 1U);
    EXPECT_TRUE(is_prohibition(client(1).received.front()));

    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two});
    EXPECT_TRUE(pass(1, 2, udp_packet("100.64.0.1:1000", "100.64.0.2:54")).empty());
}

TEST_F(ClientDevicesTest, AsksForEachPoolOfADevice) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});
    network.put_pool(11, {1}, {2}, {tcp(80, 80)});
    const auto web = tcp_packet("100.64.0.1:1000", "100.64.0.2:80");

    client(2).received.clear();
    network.send(1, to_two);
    network.send(1, web);
    network.run_for(4s);

    EXPECT_EQ(client(2).received.size(), 2U);
    ASSERT_EQ(client(1).requests.size(), 2U);
    EXPECT_EQ(client(1).requests[0].resource_id, id<ResourceId>(10));
    EXPECT_EQ(client(1).requests[1].resource_id, id<ResourceId>(11));
}

TEST_F(ClientDevicesTest, AsksOnTrafficAloneAndEveryTwoSecondsAtMost) {
    network.put_pool(10, {1}, {2});
    network.is_portal_answering = false;
    for (int i = 0; i < 50; ++i) {
        network.send(1, to_two);
        network.run_for(100ms);
    }
    EXPECT_EQ(client(1).requests.size(), 3U);

    network.run_for(1min);
    EXPECT_EQ(client(1).requests.size(), 3U);
}

TEST_F(ClientDevicesTest, AsksAgainAfterARefusalAndNotForNothing) {
    network.put_pool(10, {1}, {2});
    network.pools.at(10).users.clear();

    EXPECT_TRUE(pass(1, 2, to_two).empty());
    EXPECT_EQ(client(1).requests.size(), 1U);
    network.pools.at(10).users = {1};
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two}) << "and not the packet that was refused";

    network.to_client(1, portal_api::FlowCreationFailed{id<ResourceId>(10), portal_api::FlowFailure::kForbidden, {}});
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two}) << "that was about nothing";
}

TEST_F(ClientDevicesTest, IgnoresAccessThatItDidNotAskFor) {
    network.put_pool(10, {1}, {2});
    network.to_client(1, network.to_initiator(1, 2));

    network.run_for(1s);
    EXPECT_EQ(client(1).candidate_messages, 0U);
}

TEST_F(ClientDevicesTest, LeavesADeviceThatItMayNotReachAnyMore) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    network.to_client(1, portal_api::DeviceAccessDenied{ip("100.64.0.2"), ip("fd00:2021:1111::2"),
                                                        portal_api::DeviceAccessRefusal::kForbidden});
    network.put_pool(10, {1}, {3}, {udp(53, 53)});
    network.run_for(1s);

    EXPECT_TRUE(pass(1, 2, to_two).empty());
    EXPECT_TRUE(pass(2, 1, from_two).empty()) << "the other one was told goodbye";
    EXPECT_EQ(client(1).requests.size(), 1U);
}

TEST_F(ClientDevicesTest, LeavesADeviceWhenItsLastPoolGoes) {
    network.put_pool(10, {1}, {2});
    network.put_pool(11, {1}, {2});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    network.remove_pool(10);
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two}) << "asks for the other one";
    EXPECT_EQ(client(1).requests.size(), 2U);
    network.remove_pool(11);
    EXPECT_TRUE(pass(1, 2, to_two).empty());
    EXPECT_TRUE(pass(2, 1, from_two).empty());
}

TEST_F(ClientDevicesTest, KeepsTheConnectionOfAClientThatMayReachIt) {
    network.put_pool(10, {1, 2}, {1, 2});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);
    const auto back = udp_packet("100.64.0.2:2000", "100.64.0.1:53");
    ASSERT_EQ(pass(2, 1, back).size(), 1U);

    network.to_client(1, portal_api::ResourceDeleted{id<ResourceId>(10)});

    EXPECT_EQ(pass(2, 1, back), std::vector<Bytes>{back});
    EXPECT_EQ(client(2).requests.size(), 1U);
    EXPECT_TRUE(pass(1, 2, to_two).empty());
}

TEST_F(ClientDevicesTest, LeavesAClientOnceNeitherMayReachTheOther) {
    network.put_pool(10, {1, 2}, {1, 2});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);
    ASSERT_EQ(pass(2, 1, udp_packet("100.64.0.2:2000", "100.64.0.1:53")).size(), 1U);

    network.pools.clear();
    network.init(1);
    network.run_for(1s);

    EXPECT_TRUE(client(1).state.state().connections.empty());
    EXPECT_TRUE(client(2).state.state().connections.empty()) << "was told goodbye";
}

TEST_F(ClientDevicesTest, AsksAgainWhenTheDeviceSaysThatNothingIsGranted) {
    network.put_pool(10, {1}, {2}, {}, network.wall_now() + 10s);
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);
    network.pools.at(10).expires_at = network.wall_now() + 1h;
    network.run_for(10s);

    EXPECT_TRUE(pass(1, 2, to_two).empty()) << "has expired";
    EXPECT_EQ(client(1).requests.size(), 2U);
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two});
}

TEST_F(ClientDevicesTest, StartsAnewAfterAGoodbye) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    network.shut_down(2);
    network.run_for(1s);
    EXPECT_EQ(pass(1, 2, to_two).size(), 1U) << "the same program goes on in this test";
    EXPECT_EQ(client(1).requests.size(), 2U);
}

TEST_F(ClientDevicesTest, AsksNoSoonerForADeviceThatSaysGoodbyeAgainAndAgain) {
    network.put_pool(10, {1}, {2});
    for (int i = 0; i < 20; ++i) {
        network.send(1, to_two);
        network.run_for(300ms);
        network.shut_down(2);
        network.run_for(100ms);
    }
    EXPECT_LE(client(1).requests.size(), 5U) << "in 8 s";
}

TEST_F(ClientDevicesTest, OpensNoConnectionInTheMiddle) {
    network.put_pool(10, {1}, {2});

    EXPECT_TRUE(pass(1, 2, tcp_packet("100.64.0.1:1000", "100.64.0.2:80", packet::kTcpAck)).empty());
    EXPECT_TRUE(client(1).requests.empty());
}

TEST_F(ClientDevicesTest, ConnectionsOutliveANewNetwork) {
    network.put_pool(10, {1}, {2});
    ASSERT_EQ(pass(1, 2, tcp_packet("100.64.0.1:1000", "100.64.0.2:80")).size(), 1U);
    network.reset(1);
    network.init(1);
    network.run_for(100ms);

    EXPECT_EQ(pass(1, 2, tcp_packet("100.64.0.1:1000", "100.64.0.2:80", packet::kTcpAck)).size(), 1U);
}

TEST_F(ClientDevicesTest, StartsAnewAfterItsNetworkChanged) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    network.reset(1);
    network.init(1);
    network.run_for(1s);

    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two});
    EXPECT_EQ(pass(2, 1, from_two), std::vector<Bytes>{from_two});
}

TEST_F(ClientDevicesTest, ReconnectsToADeviceThatStartedAnew) {
    network.put_pool(10, {1}, {2}, {udp(53, 53)});
    network.put_pool(11, {1}, {2}, {tcp(80, 80)});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    network.reset(2);
    network.init(2);
    network.run_for(1s);
    const auto web = tcp_packet("100.64.0.1:1000", "100.64.0.2:80");
    EXPECT_EQ(pass(1, 2, web), std::vector<Bytes>{web});
    EXPECT_EQ(pass(1, 2, to_two), std::vector<Bytes>{to_two});
    EXPECT_EQ(client(1).requests.size(), 3U) << "it had forgotten what it granted";
}

TEST_F(ClientDevicesTest, WaitsForRelays) {
    network.put_pool(10, {1}, {2});
    network.has_relays = false;
    network.reset(1);
    network.init(1);
    network.run_for(100ms);

    EXPECT_TRUE(pass(1, 2, to_two, 1s).empty());
    EXPECT_EQ(client(1).portal_reconnects, 1U);
    network.has_relays = true;
    network.init(1);
    network.run_for(2s);
    EXPECT_EQ(pass(1, 2, udp_packet("100.64.0.1:1000", "100.64.0.2:53", 1)).size(), 2U) << "the first one waited";
}

TEST_F(ClientDevicesTest, GivesUpADeviceThatCandidatesDoNotReach) {
    network.put_pool(10, {1}, {2});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    network.to_client(1, portal_api::ClientIceCandidateError{id<ClientId>(2), "offline"});
    EXPECT_EQ(pass(1, 2, to_two).size(), 1U);
    EXPECT_EQ(client(1).requests.size(), 2U);
}

TEST_F(ClientDevicesTest, SendsNothingToClientsInNoPool) {
    network.put_pool(10, {1}, {2});
    ASSERT_EQ(pass(1, 2, to_two).size(), 1U);

    EXPECT_TRUE(pass(1, 3, udp_packet("100.64.0.1:1000", "100.64.0.3:53")).empty());
    EXPECT_TRUE(pass(2, 1, udp_packet("100.64.0.2:1000", "100.64.0.1:53")).empty()) << "is no answer";
    EXPECT_TRUE(client(2).requests.empty());
}

}  // namespace
}  // namespace culvert::tunnel::test
