#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/testing/device_network.h"
#include "culvert/tunnel/testing/test_values.h"

// What a client lets in from another one that keeps no rule.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kRogue = "100.64.0.66";
constexpr std::uint8_t kTarget = 1;
const ResourceId kPool = id<ResourceId>(10);

std::string at(std::string_view address, std::uint16_t port) {
    return std::string{address} + ":" + std::to_string(port);
}
Bytes udp_packet(std::string_view source, std::string_view destination) {
    return packet::make_udp(socket(source), socket(destination), Bytes(1));
}
Bytes tcp_packet(std::string_view source, std::string_view destination, std::uint8_t flags = packet::kTcpSyn) {
    return packet::make_tcp(socket(source), socket(destination), {.flags = flags}, {});
}

class DeviceAdmission : public ::testing::Test {
protected:
    /// Whether the packet gets from the rogue to an application of the target.
    bool gets_in(const Bytes& packet, std::uint8_t target = kTarget) {
        auto& client = network.clients.at(target);
        client.received.clear();
        network.rogue->received.clear();
        network.send_from_rogue(target, packet);
        network.run_for(100ms);
        return !client.received.empty();
    }
    /// Whether the host's packet gets to the rogue.
    bool gets_out(const Bytes& packet) {
        network.rogue->received.clear();
        network.send(kTarget, packet);
        network.run_for(100ms);
        return !network.rogue->received.empty();
    }
    /// Whether the rogue was just told that the packet may not pass.
    bool was_told() {
        if (network.rogue->received.size() != 1) {
            return false;
        }
        const auto packet = packet::IpPacket::parse(network.rogue->received.front());
        return packet && packet->is_icmp() && packet->icmp_type() == 3 && packet->icmp_code() == 13;
    }
    void grant(std::vector<portal_api::Filter> filters, std::optional<UnixSeconds> expires_at = {}) {
        network.connect_rogue(kTarget, portal_api::PoolGrant{kPool, std::move(filters)}, expires_at);
    }

    DeviceNetwork network{2};
    std::string here = "100.64.0.1";
};

TEST_F(DeviceAdmission, IsForTheServicesOfTheGrant) {
    grant({tcp(22, 22), udp(53, 53)});

    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_TRUE(gets_in(udp_packet(at(kRogue, 4000), at(here, 53))));

    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 23))));
    EXPECT_TRUE(was_told());
    EXPECT_FALSE(gets_in(udp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 22), at(here, 4000)))) << "the port of its own end is nothing";
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_request(ip(kRogue), ip(here), 1, 1, {})));
    EXPECT_FALSE(gets_in(packet::make_ip(ip(kRogue), ip(here), 47, Bytes(8))));
}

TEST_F(DeviceAdmission, WithoutFiltersIsForEverythingThatCanBeAnswered) {
    grant({});

    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_TRUE(gets_in(packet::make_icmp_echo_request(ip(kRogue), ip(here), 1, 1, {})));
    EXPECT_TRUE(gets_in(packet::make_udp(socket("[fd00:2021:1111::66]:1"), socket("[fd00:2021:1111::1]:2"), Bytes(1))));

    EXPECT_FALSE(
        gets_in(packet::make_icmp(ip(kRogue), ip(here), 5, 1, 0x0a010001, udp_packet(at(here, 1), at(kRogue, 2)))))
        << "a redirect";
    EXPECT_FALSE(gets_in(packet::make_icmp(ip("fd00:2021:1111::66"), ip("fd00:2021:1111::1"), 134, 0, 0, Bytes(8))))
        << "a router advertisement";
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_reply(ip(kRogue), ip(here), 1, 1, {}))) << "answers nothing";
}

TEST_F(DeviceAdmission, IsForTheClientsOwnAddressesAlone) {
    grant({});

    EXPECT_FALSE(gets_in(udp_packet("100.64.0.2:1", at(here, 2)))) << "another client's";
    EXPECT_FALSE(gets_in(udp_packet("100.64.1.1:1", at(here, 2)))) << "a gateway's";
    EXPECT_FALSE(gets_in(udp_packet("10.1.0.5:1", at(here, 2)))) << "a host's";
    EXPECT_FALSE(gets_in(udp_packet("100.100.111.1:53", at(here, 2)))) << "the resolver's";
    EXPECT_FALSE(gets_in(udp_packet(at(here, 1), at(here, 2)))) << "our own";
    EXPECT_FALSE(gets_in(packet::make_udp(socket("[fd00:2021:1111::2]:1"), socket("[fd00:2021:1111::1]:2"), Bytes(1))));
}

TEST_F(DeviceAdmission, IsToTheClientItselfAlone) {
    grant({});

    for (const auto* destination : {"100.64.0.2:2", "10.0.0.1:2", "127.0.0.1:2", "100.100.111.1:53", "224.0.0.1:2",
                                    "255.255.255.255:2", "192.0.2.1:52625"}) {
        EXPECT_FALSE(gets_in(udp_packet(at(kRogue, 1), destination))) << destination;
    }
    EXPECT_FALSE(
        gets_in(packet::make_udp(socket("[fd00:2021:1111::66]:1"), socket("[fd00:2021:1111::2]:2"), Bytes(1))));
    EXPECT_FALSE(gets_in(packet::make_udp(socket("[fd00:2021:1111::66]:1"), socket("[::1]:2"), Bytes(1))));
}

TEST_F(DeviceAdmission, IsNotForFragments) {
    grant({});
    auto fragment = udp_packet(at(kRogue, 1), at(here, 2));
    fragment[6] = std::byte{0x20};  // more fragments

    EXPECT_FALSE(gets_in(fragment));
}

TEST_F(DeviceAdmission, IsNothingWithoutAGrant) {
    network.connect_rogue(kTarget, std::nullopt);
    EXPECT_TRUE(network.rogue->received.empty());

    // The target never asked, so it does not even connect.
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_FALSE(was_told());
}

TEST_F(DeviceAdmission, EndsWhenTheGrantExpires) {
    grant({tcp(22, 22)}, network.wall_now() + 20s);
    ASSERT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    ASSERT_TRUE(gets_out(tcp_packet(at(here, 22), at(kRogue, 4000), packet::kTcpSyn | packet::kTcpAck)));

    network.run_for(25s);

    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22), packet::kTcpAck))) << "a running connection";
    EXPECT_TRUE(was_told());
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4001), at(here, 22))));
}

TEST_F(DeviceAdmission, IsNotGivenByAGrantThatHasExpired) {
    network.rogue.emplace(network.now);
    network.to_client(kTarget,
                      network.rogue_authorization(kTarget, portal_api::PoolGrant{kPool, {}}, network.wall_now()));

    EXPECT_EQ(network.clients.at(kTarget).candidate_messages, 0U) << "no connection is made";
}

TEST_F(DeviceAdmission, EndsWhenTheGrantIsRevoked) {
    grant({tcp(22, 22)});
    ASSERT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));

    network.to_client(kTarget, portal_api::RejectAccess{id<ClientId>(67), kPool});
    network.to_client(kTarget, portal_api::RejectAccess{network.rogue->id, id<ResourceId>(11)});
    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22)))) << "that was about others";

    network.to_client(kTarget, portal_api::RejectAccess{network.rogue->id, kPool});
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_TRUE(was_told()) << "the connection stays";
}

TEST_F(DeviceAdmission, EndsUnlessInitListsTheGrant) {
    grant({tcp(22, 22)});

    network.init(kTarget, {{network.rogue->id, kPool, network.wall_now() + 1h}});
    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));

    network.init(kTarget, {{network.rogue->id, id<ResourceId>(11), network.wall_now() + 1h}});
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
}

TEST_F(DeviceAdmission, FollowsTheFilters) {
    grant({tcp(22, 22)});
    ASSERT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));

    network.to_client(kTarget, portal_api::ResourceFiltersUpdated{{kPool, {tcp(23, 23)}}});

    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 23))));
}

// The target also uses a pool that the rogue is in, so that it opens flows of its own.
class AdmissionOfAnswers : public DeviceAdmission {
protected:
    void SetUp() override {
        grant({tcp(22, 22), udp(5000, 5000)}, network.wall_now() + 60s);
        portal_api::DevicePool pool{
            id<ResourceId>(20), "pool", {tcp(80, 80), udp(53, 53), udp(6000, 6000), icmp()}, {}};
        pool.devices.push_back({network.rogue->id, network.rogue->ipv4, network.rogue->ipv6});
        network.to_client(kTarget, portal_api::DevicePoolCreatedOrUpdated{pool});
        network.is_portal_answering = false;
        network.send(kTarget, udp_packet(at(here, 1), at(kRogue, 53)));
        auto let_through = network.rogue_authorization(kTarget, std::nullopt);
        network.to_client(kTarget, let_through);
        network.run_for(100ms);
        ASSERT_EQ(network.rogue->received.size(), 1U);
    }
};

TEST_F(AdmissionOfAnswers, IsForFlowsThatTheTargetOpened) {
    EXPECT_TRUE(gets_in(udp_packet(at(kRogue, 53), at(here, 1))));
    EXPECT_FALSE(gets_in(udp_packet(at(kRogue, 54), at(here, 1))));
    EXPECT_FALSE(gets_in(udp_packet(at(kRogue, 53), at(here, 2))));

    ASSERT_TRUE(gets_out(tcp_packet(at(here, 7000), at(kRogue, 80))));
    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 80), at(here, 7000), packet::kTcpSyn | packet::kTcpAck)));
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 80), at(here, 7001), packet::kTcpSyn | packet::kTcpAck)));

    ASSERT_TRUE(gets_out(packet::make_icmp_echo_request(ip(here), ip(kRogue), 9, 1, {})));
    EXPECT_TRUE(gets_in(packet::make_icmp_echo_reply(ip(kRogue), ip(here), 9, 1, {})));
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_reply(ip(kRogue), ip(here), 10, 1, {})));
}

TEST_F(AdmissionOfAnswers, IsForErrorsAboutThoseAlone) {
    const auto unreachable = [&](const Bytes& about) {
        return packet::make_icmp(ip(kRogue), ip(here), 3, 3, 0, about);
    };
    EXPECT_TRUE(gets_in(unreachable(udp_packet(at(here, 1), at(kRogue, 53)))));

    EXPECT_FALSE(gets_in(unreachable(udp_packet(at(here, 2), at(kRogue, 53)))));
    EXPECT_FALSE(gets_in(unreachable(udp_packet(at(here, 1), "100.64.0.2:53")))) << "not its business";
    EXPECT_FALSE(
        gets_in(packet::make_icmp(ip("100.64.0.2"), ip(here), 3, 3, 0, udp_packet(at(here, 1), at(kRogue, 53)))))
        << "errors come from the client, too";
}

TEST_F(AdmissionOfAnswers, EndsAfterTwoIdleMinutes) {
    network.run_for(kDeviceDatagramIdleTime - 2s);
    EXPECT_TRUE(gets_in(udp_packet(at(kRogue, 53), at(here, 1))));
    network.run_for(kDeviceDatagramIdleTime + 2s);
    EXPECT_FALSE(gets_in(udp_packet(at(kRogue, 53), at(here, 1))));
}

TEST_F(AdmissionOfAnswers, AnswersOfTheTargetOpenNothing) {
    ASSERT_TRUE(gets_in(udp_packet(at(kRogue, 6000), at(here, 5000))));
    ASSERT_TRUE(gets_out(udp_packet(at(here, 5000), at(kRogue, 6000)))) << "to a port that the pool permits, too";
    ASSERT_TRUE(gets_in(tcp_packet(at(kRogue, 80), at(here, 22))));
    ASSERT_TRUE(gets_out(tcp_packet(at(here, 22), at(kRogue, 80), packet::kTcpAck)));

    network.run_for(61s);

    EXPECT_FALSE(gets_out(udp_packet(at(here, 5000), at(kRogue, 6000)))) << "not even now";
    EXPECT_FALSE(gets_in(udp_packet(at(kRogue, 6000), at(here, 5000)))) << "the grant has expired";
    static_cast<void>(gets_out(tcp_packet(at(here, 22), at(kRogue, 80), packet::kTcpAck)));
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 80), at(here, 22), packet::kTcpAck)));
}

TEST_F(AdmissionOfAnswers, WhatWasRefusedIsNoPartOfTheFlow) {
    ASSERT_TRUE(gets_in(udp_packet(at(kRogue, 6000), at(here, 5000))));
    network.run_for(61s);
    for (int i = 0; i < 5; ++i) {
        ASSERT_FALSE(gets_out(udp_packet(at(here, 5000), at(kRogue, 6000)))) << "the grant has expired";
        network.run_for(10s);
    }

    network.run_for(kDeviceDatagramIdleTime - 105s);

    EXPECT_TRUE(gets_out(udp_packet(at(here, 5000), at(kRogue, 6000)))) << "by now it is a flow of the target itself";
}

TEST_F(AdmissionOfAnswers, NoConnectionGoesOnThatTheTargetDoesNotKnow) {
    EXPECT_FALSE(gets_out(tcp_packet(at(here, 22), at(kRogue, 80), packet::kTcpAck)))
        << "an answer to a client that may not ask any more, whose flow is forgotten";
    EXPECT_FALSE(gets_out(tcp_packet(at(here, 22), at(kRogue, 80), packet::kTcpSyn | packet::kTcpAck)));
    EXPECT_FALSE(gets_out(tcp_packet(at(here, 22), at(kRogue, 80), packet::kTcpRst)));

    EXPECT_TRUE(gets_out(tcp_packet(at(here, 22), at(kRogue, 80))));
    EXPECT_TRUE(gets_out(tcp_packet(at(here, 22), at(kRogue, 80), packet::kTcpAck)));
}

TEST_F(AdmissionOfAnswers, ConnectingBackOnAFlowOfTheTargetIsNoAnswer) {
    ASSERT_TRUE(gets_out(tcp_packet(at(here, 7000), at(kRogue, 80))));
    ASSERT_TRUE(gets_in(tcp_packet(at(kRogue, 80), at(here, 7000), packet::kTcpSyn | packet::kTcpAck)));
    ASSERT_TRUE(gets_out(tcp_packet(at(here, 7000), at(kRogue, 80), packet::kTcpAck)));

    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 80), at(here, 7000), packet::kTcpSyn)));
}

TEST_F(DeviceAdmission, OnlyGoodbyeIsAControlMessage) {
    grant({});
    const auto other = p2p::make_control_packet(p2p::EventType::kAssignedIps, as_bytes("{}"));
    EXPECT_FALSE(gets_in(*other));
    EXPECT_TRUE(network.rogue->received.empty()) << "and is not answered";
    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));

    EXPECT_FALSE(gets_in(to_bytes(p2p::goodbye_packet())));
    EXPECT_FALSE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
    EXPECT_FALSE(was_told()) << "there is no connection any more";
}

TEST_F(DeviceAdmission, IsLimitedInSpeed) {
    grant({});
    auto& client = network.clients.at(kTarget);
    for (unsigned port = 0; port < 4 * kDeviceFlowBurst; ++port) {
        network.send_from_rogue(kTarget, udp_packet(at(kRogue, static_cast<std::uint16_t>(1000 + port)), at(here, 9)));
    }
    network.run_for(500ms);

    EXPECT_GE(client.received.size(), kDeviceFlowBurst);
    EXPECT_LE(client.received.size(), kDeviceFlowBurst + 200);
}

TEST_F(DeviceAdmission, LetsNobodyBeAGatewayOrTheClientItself) {
    network.rogue.emplace(network.now);
    auto message = network.rogue_authorization(kTarget, portal_api::PoolGrant{kPool, {}});
    message.client_ipv4 = ip(here);
    network.to_client(kTarget, message);
    message.client_ipv4 = ip("10.0.0.1");
    network.to_client(kTarget, message);

    network.run_for(1s);
    EXPECT_EQ(network.clients.at(kTarget).candidate_messages, 0U);
}

TEST_F(DeviceAdmission, FloodsOfCandidatesChangeNothing) {
    grant({tcp(22, 22)});
    std::vector<std::string> candidates;
    for (int i = 0; i < 5000; ++i) {
        candidates.push_back("candidate:" + std::to_string(i) + " 1 udp 2130706175 198.51." + std::to_string(i / 250) +
                             "." + std::to_string(i % 250 + 1) + " 5000 typ host");
    }
    network.to_client(kTarget, portal_api::ClientIceCandidates{network.rogue->id, candidates});
    network.to_client(kTarget, portal_api::ClientIceCandidates{id<ClientId>(99), candidates});
    network.run_for(1s);

    EXPECT_TRUE(gets_in(tcp_packet(at(kRogue, 4000), at(here, 22))));
}

}  // namespace
}  // namespace culvert::tunnel::test
