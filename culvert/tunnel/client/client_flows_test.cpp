#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Packets and authorizations of a client: spec/tunnel.md section 11.3.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const auto kR1 = id<ResourceId>(1);
const auto kR2 = id<ResourceId>(2);
const auto kG1 = id<GatewayId>(1);

Bytes udp_packet(std::string_view destination, std::uint16_t number = 0, std::string_view source = "100.64.0.1:5000") {
    Bytes payload;
    append_be(payload, number);
    return packet::make_udp(socket(source), socket(destination), payload);
}

class ClientFlows : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16");
        network.add_resource(2, "10.2.0.0/16");
    }

    void connect(std::string_view destination = "10.1.0.5:53") {
        network.send(udp_packet(destination));
        network.run_for(3s);
        ASSERT_EQ(gateway.received.size(), 1U);
        gateway.received.clear();
        network.client.intents.clear();
    }
    /// Whether the gateway still knows the client and sends it what a resource answers.
    bool gateway_sends_to_client(std::string_view source) {
        const auto before = network.datagrams;
        network.send(gateway, udp_packet("100.64.0.1:5000", 1, source));
        return network.datagrams > before;
    }
    void delete_resource(const ResourceId& resource) { network.to_client(portal_api::ResourceDeleted{resource}); }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
    std::vector<portal_api::CreateFlow>& intents = network.client.intents;
};

// As Firezone's gateway of 1.4.18 does that could not reach its only relay at the first attempt.
TEST_F(ClientFlows, GetOutOfHalfAConnectionThatTheGatewayHoldsOnToForThisKey) {
    const auto key = network.client.state.public_key();
    const auto is_same_key = [this, key] { return network.client.state.public_key() == key; };
    // Else the gateway's checks would find the client, by the relay if not directly.
    network.loses_candidates = is_same_key;
    const auto start = network.now;
    bool is_told = false;
    while (gateway.received.empty() && network.now < start + 5min) {
        network.send(udp_packet("10.1.0.5:53"));
        network.run_for(500ms);
        if (!is_same_key() && !std::exchange(is_told, true)) {
            network.init_client();  // the host connects to the portal with the new key
        }
    }
    EXPECT_FALSE(gateway.received.empty());
    EXPECT_LE(network.now - start, 30s);
}

TEST_F(ClientFlows, AskForAccessOnceEveryTwoSecondsOfTraffic) {
    network.is_portal_answering = false;

    network.send(udp_packet("10.1.0.5:53", 1));
    ASSERT_EQ(intents.size(), 1U);
    EXPECT_EQ(intents[0].resource_id, kR1);
    EXPECT_TRUE(intents[0].connected_gateway_ids.empty());

    network.run_for(1s);
    network.send(udp_packet("10.1.0.5:53", 2));
    network.run_for(900ms);
    network.send(udp_packet("10.1.0.5:53", 3));
    EXPECT_EQ(intents.size(), 1U);

    network.run_for(100ms);
    network.send(udp_packet("10.1.0.5:53", 4));
    EXPECT_EQ(intents.size(), 2U);

    network.run_for(60s);
    EXPECT_EQ(intents.size(), 2U) << "without traffic nothing is asked for";
}

TEST_F(ClientFlows, SendTheLastBufferedPacketsInOrder) {
    network.is_portal_answering = false;
    for (std::uint16_t number = 0; number < 130; ++number) {
        network.send(udp_packet("10.1.0.5:53", number));
    }

    network.authorize(intents.front());
    network.run_for(3s);

    ASSERT_EQ(gateway.received.size(), 128U);
    for (std::uint16_t i = 0; i < 128; ++i) {
        EXPECT_TRUE(equal(gateway.received[i], udp_packet("10.1.0.5:53", i + 2U)));
    }
}

TEST_F(ClientFlows, BufferTheSegmentsOfASuperPacket) {
    packet::TcpFields tcp;
    tcp.flags = packet::kTcpAck;
    Bytes buffer(64);
    append(buffer, packet::make_tcp(socket("100.64.0.1:5000"), socket("10.1.0.5:80"), tcp, Bytes(3000)));

    network.send(
        packet::TunPacket{MutableByteSpan{buffer}.subspan(64),
                          {.kind = packet::Offload::Kind::kTcp4, .segment_size = 1240, .needs_checksum = true}});
    network.run_for(3s);

    ASSERT_EQ(gateway.received.size(), 3U);
    EXPECT_EQ(gateway.received[0].size(), 1280U);
    EXPECT_EQ(gateway.received[2].size(), 40U + 3000U - 2 * 1240U);
}

TEST_F(ClientFlows, IgnoreAFlowThatNobodyWaitsFor) {
    network.to_client(network.flow_created(kR1));

    network.is_portal_answering = false;
    network.send(udp_packet("10.1.0.5:53"));
    ASSERT_EQ(intents.size(), 1U);
    EXPECT_TRUE(intents[0].connected_gateway_ids.empty()) << "the gateway was not taken note of";
}

TEST_F(ClientFlows, IgnoreAFlowForAnUnknownResource) {
    auto flow = network.flow_created(kR1);
    flow.resource_id = id<ResourceId>(99);

    network.to_client(flow);

    EXPECT_EQ(network.client.relay_requests, 0U);
}

TEST_F(ClientFlows, AskAgainAtOnceAfterAnOfflineSite) {
    network.is_portal_answering = false;
    network.send(udp_packet("10.1.0.5:53", 1));

    network.to_client(portal_api::FlowCreationFailed{kR1, portal_api::FlowFailure::kOffline, {}});
    network.send(udp_packet("10.1.0.5:53", 2));

    EXPECT_EQ(intents.size(), 2U);
}

TEST_F(ClientFlows, AskNoFasterForARefusalToEachRequest) {
    network.is_portal_answering = false;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        network.send(udp_packet("10.1.0.5:53", i));
        network.to_client(portal_api::FlowCreationFailed{kR1, portal_api::FlowFailure::kOffline, {}});
        network.run_for(10ms);
    }
    EXPECT_LE(intents.size(), 15U);
    EXPECT_GE(intents.size(), 5U);
}

TEST_F(ClientFlows, WaitForTheThrottleAfterOtherFailures) {
    network.is_portal_answering = false;
    network.send(udp_packet("10.1.0.5:53", 1));

    network.to_client(portal_api::FlowCreationFailed{kR1, portal_api::FlowFailure::kForbidden, {"remote_ip"}});
    network.send(udp_packet("10.1.0.5:53", 2));
    EXPECT_EQ(intents.size(), 1U);

    network.run_for(2s);
    network.send(udp_packet("10.1.0.5:53", 3));
    EXPECT_EQ(intents.size(), 2U);
}

TEST_F(ClientFlows, DropTheirGatewayWhenItsSiteGoesOffline) {
    connect();

    network.to_client(portal_api::FlowCreationFailed{kR1, portal_api::FlowFailure::kOffline, {}});
    network.is_portal_answering = false;
    network.send(udp_packet("10.1.0.5:53", 2));

    EXPECT_EQ(intents.size(), 1U);
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kOffline);
}

TEST_F(ClientFlows, ShareOneConnectionUntilTheLastResourceIsRemoved) {
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    network.is_portal_answering = false;

    delete_resource(kR1);
    network.run_for(1s);
    network.send(udp_packet("10.2.0.5:53", 2));
    network.run_for(1s);
    EXPECT_EQ(gateway.received.size(), 1U) << "R-2 keeps its connection";
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kOnline);

    delete_resource(kR2);
    network.run_for(1s);
    network.to_client(portal_api::ResourceCreatedOrUpdated{cidr(2, "10.2.0.0/16")});
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kUnknown);

    EXPECT_FALSE(gateway_sends_to_client("10.2.0.5:53")) << "it was told goodbye";
}

TEST_F(ClientFlows, NameRecentGatewaysAfterAGoodbye) {
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    network.is_portal_answering = false;

    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR1});
    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR2});
    network.run_for(1s);
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kUnknown);

    network.send(udp_packet("10.1.0.5:53", 2));
    network.send(udp_packet("10.2.0.5:53", 2));
    ASSERT_EQ(intents.size(), 2U);
    EXPECT_THAT(intents[0].connected_gateway_ids, ElementsAre(kG1));
}

TEST_F(ClientFlows, ForgetConnectionsAndKeyOnReset) {
    connect();
    network.is_portal_answering = false;
    const auto key = network.client.state.public_key();

    network.client.state.reset("roamed", network.now);
    network.drain();
    EXPECT_NE(network.client.state.public_key(), key);
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kUnknown);

    network.send(udp_packet("10.1.0.5:53", 2));
    ASSERT_EQ(intents.size(), 1U);
    EXPECT_THAT(intents[0].connected_gateway_ids, ElementsAre(kG1)) << "which would still be the best";
}

TEST_F(ClientFlows, GoOnAfterAResetIfOnlyTheFarEndSpeaks) {
    connect();
    network.client.state.reset("roamed", network.now);
    network.run_for(1s);
    EXPECT_TRUE(intents.empty()) << "there is no portal to ask yet";

    network.init_client();
    network.run_for(3s);

    EXPECT_EQ(intents.size(), 1U);
    network.client.received.clear();
    network.send(gateway, udp_packet("100.64.0.1:5000", 7, "10.1.0.5:53"));
    network.run_for(1s);
    EXPECT_EQ(network.client.received.size(), 1U);
    intents.clear();
    network.init_client();
    EXPECT_TRUE(intents.empty()) << "once";
}

TEST_F(ClientFlows, DoNotComeBackAfterAResetIfTheyWereOver) {
    connect();
    network.run_for(1h);
    network.client.state.reset("roamed", network.now);
    network.init_client();
    EXPECT_TRUE(intents.empty());
}

TEST_F(ClientFlows, AskAgainOnANewConnectionToThePortal) {
    network.is_portal_answering = false;
    network.send(udp_packet("10.1.0.5:53"));
    network.run_for(100ms);
    intents.clear();

    network.init_client();  // the request may have gone with the connection before

    ASSERT_EQ(intents.size(), 1U);
    network.run_for(2min);
    network.init_client();
    EXPECT_EQ(intents.size(), 1U) << "nobody waits for it any more";
}

TEST_F(ClientFlows, WorkAgainAfterReset) {
    connect();

    network.client.state.reset("roamed", network.now);
    network.init_client();
    network.run_for(1s);
    network.send(udp_packet("10.1.0.5:53", 2));
    network.run_for(3s);

    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(equal(gateway.received[0], udp_packet("10.1.0.5:53", 2)));
}

TEST_F(ClientFlows, KeepTheThrottleOverReset) {
    network.is_portal_answering = false;
    network.send(udp_packet("10.1.0.5:53", 1));

    network.client.state.reset("roamed", network.now);
    network.send(udp_packet("10.1.0.5:53", 2));
    EXPECT_EQ(intents.size(), 1U);

    network.run_for(2s);
    network.send(udp_packet("10.1.0.5:53", 3));
    EXPECT_EQ(intents.size(), 2U);
}

TEST_F(ClientFlows, DropPacketsThatNobodyMaySend) {
    network.is_portal_answering = false;
    auto control = to_bytes(p2p::goodbye_packet());

    network.send(udp_packet("10.1.0.5:53", 1, "192.168.1.5:5000"));
    network.send(udp_packet("100.64.0.9:53"));
    network.send(udp_packet("224.0.0.22:53"));
    network.send(packet::make_icmp(ip("fd00:2021:1111::1"), ip("ff02::2"), 133, 0, 0, {}));
    network.send(udp_packet("10.9.0.5:53"));
    network.send(control);
    network.send(as_bytes("no packet at all"));
    network.send(Bytes{});
    auto fragment = udp_packet("10.1.0.5:53");
    fragment[6] = std::byte{0x20};
    network.send(fragment);
    network.send(Bytes(1281, std::byte{0x45}));

    EXPECT_TRUE(intents.empty());
    network.send(udp_packet("10.1.0.5:53"));
    EXPECT_EQ(intents.size(), 1U) << "what follows a bad packet is not affected";
}

TEST_F(ClientFlows, DropEverythingBeforeTheInterfaceIsKnown) {
    TunnelNetwork fresh;
    fresh.to_client(portal_api::ResourceCreatedOrUpdated{cidr(1, "10.1.0.0/16")});

    fresh.send(udp_packet("10.1.0.5:53"));

    EXPECT_TRUE(fresh.client.intents.empty());
    EXPECT_FALSE(fresh.client.tun_config);
}

TEST_F(ClientFlows, ReachTheAddressesOfAConnectedGateway) {
    connect();

    network.send(packet::make_icmp_echo_request(network.client.ipv4, gateway.ipv4, 7, 1, {}));
    network.run_for(1s);
    ASSERT_EQ(gateway.received.size(), 1U);

    const auto reply = packet::make_icmp_echo_reply(gateway.ipv4, network.client.ipv4, 7, 1, {});
    network.send(gateway, reply);
    network.run_for(1s);
    ASSERT_EQ(network.client.received.size(), 1U);
    EXPECT_TRUE(equal(network.client.received[0], reply));
}

TEST_F(ClientFlows, DropSourcesThatTheGatewayDoesNotServeAnyMore) {
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    // only the client hears that the resource is gone
    delete_resource(kR1);
    network.client.received.clear();

    network.send(gateway, udp_packet("100.64.0.1:5000", 1, "10.1.0.5:53"));
    network.send(gateway, udp_packet("100.64.0.1:5000", 2, "10.2.0.5:53"));
    network.run_for(1s);

    ASSERT_EQ(network.client.received.size(), 1U);
    EXPECT_TRUE(equal(network.client.received[0], udp_packet("100.64.0.1:5000", 2, "10.2.0.5:53")));
}

TEST_F(ClientFlows, DropPacketsForOtherAddressesThanTheirOwn) {
    connect();
    // the address moves to another client; the gateway has not heard of it yet
    network.to_client(portal_api::ConfigChanged{{ip("100.64.0.7"), ip("fd00:2021:1111::7"), {}, {}}});

    network.send(gateway, udp_packet("100.64.0.1:5000", 1, "10.1.0.5:53"));
    network.run_for(1s);

    EXPECT_TRUE(network.client.received.empty());
}

TEST_F(ClientFlows, DropErrorsAboutPacketsThatDidNotGoToTheGateway) {
    network.add_gateway(2);
    network.grants[kR2].gateway = 2;
    network.run_for(1s);
    connect("10.1.0.5:53");
    network.send(udp_packet("10.2.0.5:53"));
    network.run_for(3s);
    intents.clear();
    const auto prohibited = [&](ByteSpan about) {
        return packet::make_icmp(gateway.ipv4, network.client.ipv4, 3, 13, 0, about);
    };

    network.send(gateway, prohibited(udp_packet("10.2.0.5:53")));  // the other gateway's
    network.send(gateway, prohibited(udp_packet("8.8.8.8:53")));
    network.send(gateway, prohibited(udp_packet("10.1.0.5:53", 0, "100.64.0.7:5000")));  // another client's
    network.send(gateway, prohibited({}));
    network.send(gateway,
                 packet::make_icmp(gateway.ipv4, network.client.ipv4, 5, 1, 0x0a000001, udp_packet("10.1.0.5:53")));
    network.run_for(1s);
    EXPECT_TRUE(network.client.received.empty());
    EXPECT_TRUE(intents.empty());

    network.send(gateway, prohibited(udp_packet("10.1.0.5:54")));  // never sent
    network.run_for(1s);
    EXPECT_TRUE(network.client.received.empty());
    EXPECT_TRUE(intents.empty());

    network.send(gateway, prohibited(udp_packet("10.1.0.5:53")));
    network.run_for(1s);
    EXPECT_EQ(network.client.received.size(), 1U);
    EXPECT_EQ(intents.size(), 1U);
}

TEST_F(ClientFlows, TakeErrorsOfRoutersOnTheWay) {
    connect();
    const auto gre = packet::make_ip(network.client.ipv4, ip("10.1.0.5"), 47, Bytes(8));
    network.send(gre);
    network.run_for(1s);
    const auto too_big = packet::make_icmp(ip("192.0.2.1"), network.client.ipv4, 3, 4, 1200, udp_packet("10.1.0.5:53"));
    const auto hop = packet::make_icmp(ip("192.0.2.2"), network.client.ipv4, 11, 0, 0, gre);

    network.send(gateway, too_big);
    network.send(gateway, hop);
    network.run_for(1s);

    ASSERT_EQ(network.client.received.size(), 2U);
    EXPECT_TRUE(equal(network.client.received[0], too_big));
    EXPECT_TRUE(equal(network.client.received[1], hop));
}

TEST_F(ClientFlows, TakeAnswersThroughTheGatewayOfTheFlowAlone) {
    auto& other = network.add_gateway(2);
    network.run_for(1s);
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    network.grants[kR1].gateway = 2;
    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR1});
    network.send(udp_packet("10.1.0.5:53", 2));  // refused, which makes the client ask again
    network.run_for(3s);
    network.send(udp_packet("10.1.0.5:53", 3));
    network.run_for(1s);
    ASSERT_EQ(other.received.size(), 1U);
    network.client.received.clear();

    // the former gateway is allowed to know the flow still
    auto message = network.authorize_flow(kR2);
    message.resource = gateway_cidr(1, "10.1.0.0/16");
    network.to_gateway(gateway, message);
    network.send(gateway, udp_packet("100.64.0.1:5000", 7, "10.1.0.5:53"));
    network.run_for(1s);
    EXPECT_TRUE(network.client.received.empty());

    network.send(other, udp_packet("100.64.0.1:5000", 8, "10.1.0.5:53"));
    network.run_for(1s);
    EXPECT_EQ(network.client.received.size(), 1U);
}

TEST_F(ClientFlows, KeepTheirAnswersOverANewConnectionToTheSameGateway) {
    connect();
    network.client.state.reset("roamed", network.now);
    network.init_client();
    network.run_for(1s);
    network.send(udp_packet("10.1.0.6:53"));
    network.run_for(3s);
    network.client.received.clear();

    network.send(gateway, udp_packet("100.64.0.1:5000", 7, "10.1.0.5:53"));
    network.run_for(1s);

    EXPECT_EQ(network.client.received.size(), 1U) << "of an idle flow, which must not be cut off";
}

TEST_F(ClientFlows, DropErrorsOfTheGatewayOfAWiderResource) {
    network.add_gateway(2);
    network.grants[kR2].gateway = 2;
    network.add_resource(3, "10.0.0.0/8");
    network.run_for(1s);
    connect("10.9.0.5:53");
    network.send(udp_packet("10.2.0.5:53"));
    network.run_for(3s);
    const auto unreachable = [&](ByteSpan about) {
        return packet::make_icmp(gateway.ipv4, network.client.ipv4, 3, 1, 0, about);
    };

    network.send(gateway, unreachable(udp_packet("10.2.0.5:53")));  // the other gateway's, which is narrower
    network.run_for(1s);
    EXPECT_TRUE(network.client.received.empty());

    network.send(gateway, unreachable(udp_packet("10.9.0.5:53")));
    network.run_for(1s);
    EXPECT_EQ(network.client.received.size(), 1U);
}

TEST_F(ClientFlows, AskAgainWhenTheGatewayRefusesWhatWasGranted) {
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    network.is_portal_answering = false;
    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR1});

    network.send(udp_packet("10.1.0.5:53", 2));
    network.run_for(100ms);

    ASSERT_EQ(network.client.received.size(), 1U);
    const auto answer = packet::IpPacket::parse(network.client.received[0]);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(packet::inspect_icmp_error(*answer).value()->is_prohibited());
    ASSERT_EQ(intents.size(), 1U);
    EXPECT_EQ(intents[0].resource_id, kR1);

    network.authorize(intents.front());
    network.run_for(1s);
    network.send(udp_packet("10.1.0.5:53", 3));
    network.run_for(1s);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(equal(gateway.received[0], udp_packet("10.1.0.5:53", 3)));
}

TEST_F(ClientFlows, DoNotLoopWhenAFilterRefuses) {
    network.grants[kR1].filters = {tcp(80, 80)};
    network.send(udp_packet("10.1.0.5:53"));  // the client does not know of the filter
    network.run_for(3s);
    intents.clear();

    for (std::uint16_t i = 0; i < 30; ++i) {
        network.send(udp_packet("10.1.0.5:53", i));
        network.run_for(1s);
    }
    EXPECT_LE(intents.size(), 5U);

    auto with_filters = cidr(1, "10.1.0.0/16");
    with_filters.filters = {tcp(80, 80)};
    network.to_client(portal_api::ResourceCreatedOrUpdated{with_filters});
    network.run_for(300s);
    intents.clear();
    network.client.received.clear();
    network.send(udp_packet("10.1.0.5:53", 99));
    network.run_for(1s);
    EXPECT_EQ(network.client.received.size(), 1U) << "the application is told all the same";
    EXPECT_TRUE(intents.empty());
}

TEST_F(ClientFlows, AreRefusedHereIfTheirFiltersForbidThem) {
    auto with_filters = cidr(1, "10.1.0.0/16");
    with_filters.filters = {udp(53, 53)};
    network.to_client(portal_api::ResourceCreatedOrUpdated{with_filters});
    network.client.received.clear();
    const auto refused = udp_packet("10.1.0.5:54");

    network.send(refused);
    network.run_for(100ms);

    EXPECT_TRUE(intents.empty());
    ASSERT_EQ(network.client.received.size(), 1U);
    const auto answer = packet::IpPacket::parse(network.client.received[0]);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->source(), ip("10.1.0.5"));
    const auto error = packet::inspect_icmp_error(*answer).value();
    EXPECT_TRUE(error->is_prohibited());
    EXPECT_EQ(error->embedded.destination_value.value, 54);

    network.send(udp_packet("10.1.0.5:53"));
    network.run_for(3s);
    EXPECT_EQ(intents.size(), 1U);
    EXPECT_EQ(gateway.received.size(), 1U);
}

TEST_F(ClientFlows, EndWhenAFilterForbidsThem) {
    connect();
    auto with_filters = cidr(1, "10.1.0.0/16");
    with_filters.filters = {tcp(80, 80)};
    network.to_client(portal_api::ResourceCreatedOrUpdated{with_filters});
    network.client.received.clear();

    network.send(udp_packet("10.1.0.5:53", 2));
    network.run_for(1s);

    EXPECT_TRUE(gateway.received.empty());
    EXPECT_EQ(network.client.received.size(), 1U);
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kOnline) << "the connection stays";
}

TEST_F(ClientFlows, BelongToAWiderResourceIfTheNarrowerOneForbidsThem) {
    auto with_filters = cidr(1, "10.1.0.0/16");
    with_filters.filters = {tcp(80, 80)};
    network.to_client(portal_api::ResourceCreatedOrUpdated{with_filters});
    network.add_resource(3, "10.0.0.0/8");

    network.send(udp_packet("10.1.0.5:53"));
    network.run_for(3s);

    ASSERT_EQ(intents.size(), 1U);
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(3));
    EXPECT_EQ(gateway.received.size(), 1U);
}

TEST_F(ClientFlows, TellTheUserOnceWhyAResourceCannotBeReached) {
    std::vector<std::string> told;
    const log::CaptureScope capture{log::Level::kInfo,
                                    [&](log::Level, std::string_view, std::string_view message, auto&&) {
                                        if (message.find("gateway") != std::string_view::npos) {
                                            told.emplace_back(message);
                                        }
                                    }};
    const auto refuse = [this](portal_api::FlowFailure reason) {
        for (int i = 0; i < 3; ++i) {
            network.to_client(portal_api::FlowCreationFailed{kR1, reason, {}});
        }
    };
    refuse(portal_api::FlowFailure::kForbidden);
    EXPECT_TRUE(told.empty()) << "which is for administrators to know";
    refuse(portal_api::FlowFailure::kVersionMismatch);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_THAT(told[0], testing::HasSubstr("version"));
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kUnknown) << "its gateways run";
    refuse(portal_api::FlowFailure::kOffline);
    ASSERT_EQ(told.size(), 2U);
    EXPECT_THAT(told[1], testing::HasSubstr("offline"));
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kOffline);

    network.run_for(5min);
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kUnknown) << "nobody tells when it is back";
}

TEST_F(ClientFlows, SwitchToTheGatewayThatThePortalNames) {
    auto& other = network.add_gateway(2);
    network.run_for(1s);
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    network.grants[kR1].gateway = 2;
    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR1});

    network.send(udp_packet("10.1.0.5:53", 2));  // refused, which makes the client ask again
    network.run_for(3s);
    network.send(udp_packet("10.1.0.5:53", 3));
    network.send(udp_packet("10.2.0.5:53", 3));
    network.run_for(1s);

    ASSERT_EQ(other.received.size(), 1U);
    EXPECT_TRUE(equal(other.received[0], udp_packet("10.1.0.5:53", 3)));
    ASSERT_EQ(gateway.received.size(), 1U) << "R-2 stays where it was";
    EXPECT_TRUE(equal(gateway.received[0], udp_packet("10.2.0.5:53", 3)));
}

TEST_F(ClientFlows, AskThePortalForRelays) {
    TunnelNetwork fresh;
    fresh.add_gateway(1);
    fresh.add_resource(1, "10.1.0.0/16");
    fresh.to_client(portal_api::ClientInit{{ip("100.64.0.1"), ip("fd00:2021:1111::1"), {}, {}}, fresh.resources(), {}});

    fresh.send(udp_packet("10.1.0.5:53"));
    fresh.run_for(1s);

    EXPECT_EQ(fresh.client.relay_requests, 1U);

    for (int i = 0; i < 600; ++i) {
        fresh.send(udp_packet("10.1.0.5:53", static_cast<std::uint8_t>(i)));
        fresh.run_for(100ms);
    }
    EXPECT_LE(fresh.client.intents.size(), 31U);
    EXPECT_GE(fresh.client.relay_requests, 4U);
    EXPECT_LE(fresh.client.relay_requests, 7U) << "the portal may have none for long";

    fresh.init_client();
    fresh.run_for(3s);
    fresh.send(udp_packet("10.1.0.5:53"));
    fresh.run_for(1s);
    EXPECT_GE(fresh.gateways.at(1).received.size(), 1U);
    EXPECT_LE(fresh.gateways.at(1).received.size(), 21U) << "what came before the last request has been dropped";
}

TEST_F(ClientFlows, StartAnewAfterTheConnectionFailed) {
    connect();
    gateway.is_up = false;
    network.send(udp_packet("10.1.0.5:53", 1));
    network.run_for(40s);
    EXPECT_EQ(network.client.resources[0].status, ResourceStatus::kUnknown);
    intents.clear();

    gateway.is_up = true;
    network.init_gateway(gateway);  // it lost its relay as well
    network.run_for(1s);
    network.send(udp_packet("10.1.0.5:53", 2));
    network.run_for(5s);

    EXPECT_EQ(intents.size(), 1U);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(equal(gateway.received[0], udp_packet("10.1.0.5:53", 2)));
}

TEST_F(ClientFlows, AskForEachResourceAgainWhenTheirGatewayHasStartedAnew) {
    connect("10.1.0.5:53");
    connect("10.2.0.5:53");
    network.restart(gateway);
    network.run_for(1s);
    delete_resource(kR1);
    network.to_client(portal_api::ResourceCreatedOrUpdated{cidr(1, "10.1.0.0/16")});
    network.send(udp_packet("10.1.0.5:53", 1));
    network.run_for(1s);
    ASSERT_EQ(gateway.received.size(), 1U) << "a new connection for R-1";

    network.send(udp_packet("10.2.0.5:53", 2));
    network.run_for(1s);

    ASSERT_EQ(gateway.received.size(), 2U) << "not refused, which it would be without being asked for";
    EXPECT_TRUE(equal(gateway.received[1], udp_packet("10.2.0.5:53", 2)));
}

TEST_F(ClientFlows, SayGoodbyeOnShutdown) {
    connect();

    EXPECT_TRUE(gateway_sends_to_client("10.1.0.5:53"));

    network.client.state.shut_down(network.now);
    network.drain();
    network.run_for(100ms);

    EXPECT_FALSE(gateway_sends_to_client("10.1.0.5:53"));
}

}  // namespace
}  // namespace culvert::tunnel::test
