#include "culvert/tunnel/gateway/gateway_tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/stun/message_builder.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Policy of a gateway: spec/tunnel.md section 11.5.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const auto kR1 = id<ResourceId>(1);
const auto kR2 = id<ResourceId>(2);

Bytes udp_packet(std::string_view source, std::string_view destination, std::uint16_t number = 0) {
    Bytes payload;
    append_be(payload, number);
    return packet::make_udp(socket(source), socket(destination), payload);
}
Bytes tcp_packet(std::string_view source, std::string_view destination) {
    return packet::make_tcp(socket(source), socket(destination), {}, {});
}

/// What an ICMP error says, and about whom.
std::string describe(const Bytes& bytes) {
    auto copy = bytes;
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet) {
        return "malformed";
    }
    const auto error = packet::inspect_icmp_error(*packet);
    if (!error || !*error) {
        return "no ICMP error";
    }
    const auto& [type, code, rest, embedded] = **error;
    return std::to_string(type) + "/" + std::to_string(code) + " from " + packet->source().to_string() + " about " +
           embedded.destination.to_string();
}

class GatewayPolicy : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
    }

    /// Has the client use the resource, so that the gateway grants it.
    void connect(std::string_view destination) {
        network.send(udp_packet("100.64.0.1:5000", destination));
        network.run_for(3s);
        gateway.received.clear();
        network.client.received.clear();
        network.client.intents.clear();
    }
    /// Whether the gateway lets a packet of the client through.
    bool passes(const Bytes& packet) {
        gateway.received.clear();
        network.client.received.clear();
        network.send(packet);
        network.run_for(100ms);
        return !gateway.received.empty();
    }
    /// Whether a packet from behind the gateway is sent to the client. What the client thinks of it does not matter.
    bool reaches_client(const Bytes& packet) {
        const auto before = network.datagrams;
        network.send(gateway, packet);
        const bool is_sent = network.datagrams > before;
        network.run_for(100ms);
        return is_sent;
    }
    bool tcp(std::string_view destination) { return passes(tcp_packet("100.64.0.1:5000", destination)); }
    bool udp(std::string_view destination) { return passes(udp_packet("100.64.0.1:5000", destination)); }
    std::string answer() {
        return network.client.received.empty() ? "none" : describe(network.client.received.front());
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
};

TEST_F(GatewayPolicy, ConfiguresItsInterfaceFromInit) {
    ASSERT_TRUE(gateway.tun_config);
    EXPECT_EQ(gateway.tun_config->ipv4, ip("100.64.1.1"));
    EXPECT_THAT(gateway.tun_config->ipv4_routes, ElementsAre(test::network("100.64.0.0/11")));
    EXPECT_THAT(gateway.tun_config->ipv6_routes, ElementsAre(test::network("fd00:2021:1111::/107")));
}

TEST_F(GatewayPolicy, EndsAccessWhenItExpires) {
    const auto start = network.wall_now();
    network.add_resource(1, "10.0.0.0/24", {.gateway = 1, .filters = {test::tcp(20, 100)}, .expires_at = start + 10s});
    network.add_resource(2, "10.0.0.0/24", {.gateway = 1, .filters = {test::udp(20, 100)}, .expires_at = start + 20s});
    connect("10.0.0.1:53");
    network.to_gateway(gateway, network.authorize_flow(kR1));
    EXPECT_TRUE(tcp("10.0.0.1:80"));
    EXPECT_TRUE(udp("10.0.0.1:80"));

    network.is_portal_answering = false;
    network.run_for(start + 11s - network.wall_now());
    EXPECT_FALSE(tcp("10.0.0.1:80"));
    EXPECT_EQ(answer(), "3/13 from 10.0.0.1 about 10.0.0.1");
    EXPECT_TRUE(udp("10.0.0.1:80"));

    network.run_for(start + 21s - network.wall_now());
    network.client.intents.clear();
    EXPECT_FALSE(udp("10.0.0.1:80"));
    EXPECT_EQ(network.client.intents.size(), 1U) << "the gateway said goodbye, so the client asks anew";
}

TEST_F(GatewayPolicy, ChecksPortsAndAnswersWhatItRefuses) {
    network.add_resource(1, "10.0.0.0/24", {.gateway = 1, .filters = {test::tcp(80, 80)}, .expires_at = {}});
    connect("10.0.0.1:53");

    EXPECT_TRUE(tcp("10.0.0.1:80"));
    EXPECT_EQ(answer(), "none");
    EXPECT_FALSE(tcp("10.0.0.1:81"));
    EXPECT_EQ(answer(), "3/13 from 10.0.0.1 about 10.0.0.1");
    EXPECT_FALSE(udp("10.0.0.2:80"));
    EXPECT_EQ(answer(), "3/13 from 10.0.0.2 about 10.0.0.2");
    EXPECT_FALSE(passes(packet::make_icmp_echo_request(ip("100.64.0.1"), ip("10.0.0.1"), 1, 1, {})));
    EXPECT_EQ(answer(), "3/13 from 10.0.0.1 about 10.0.0.1");
}

TEST_F(GatewayPolicy, AnswersRefusedIpv6Packets) {
    network.add_resource(1, "2001:db8::/32", {.gateway = 1, .filters = {test::tcp(80, 80)}, .expires_at = {}});
    connect("10.0.0.1:53");
    network.send(udp_packet("[fd00:2021:1111::1]:5000", "[2001:db8::5]:53"));
    network.run_for(3s);

    EXPECT_FALSE(passes(udp_packet("[fd00:2021:1111::1]:5000", "[2001:db8::5]:53")));
    EXPECT_EQ(answer(), "1/1 from 2001:db8::5 about 2001:db8::5");
    EXPECT_TRUE(passes(tcp_packet("[fd00:2021:1111::1]:5000", "[2001:db8::5]:80")));
}

TEST_F(GatewayPolicy, NeverAnswersIcmpErrors) {
    network.add_resource(1, "10.0.0.0/24", {.gateway = 1, .filters = {test::tcp(80, 80)}, .expires_at = {}});
    connect("10.0.0.1:53");

    EXPECT_FALSE(passes(
        packet::make_icmp(ip("100.64.0.1"), ip("10.0.0.1"), 3, 3, 0, udp_packet("10.0.0.1:53", "100.64.0.1:5000"))));
    EXPECT_EQ(answer(), "none");
}

TEST_F(GatewayPolicy, RefusesForeignSources) {
    network.add_resource(1, "10.0.0.0/24");
    connect("10.0.0.1:53");
    // the portal gives the client another address behind the gateway's back
    network.to_client(portal_api::ConfigChanged{{ip("100.64.0.77"), ip("fd00:2021:1111::77"), {}, {}}});

    EXPECT_FALSE(passes(udp_packet("100.64.0.77:5000", "10.0.0.1:53")));
    EXPECT_EQ(answer(), "3/13 from 10.0.0.1 about 10.0.0.1");
}

TEST_F(GatewayPolicy, KeepsClientsApart) {
    network.add_resource(1, "0.0.0.0/0");
    connect("10.0.0.1:53");
    gateway.received.clear();
    network.connect_rogue(gateway, gateway_cidr(1, "0.0.0.0/0"));

    network.send_from_rogue(gateway, udp_packet("100.64.0.1:5000", "100.64.0.9:53"));
    network.run_for(1s);
    EXPECT_TRUE(gateway.received.empty());
    ASSERT_FALSE(network.rogue->received.empty());
    EXPECT_EQ(describe(network.rogue->received.front()), "3/13 from 100.64.0.9 about 100.64.0.9");

    EXPECT_FALSE(reaches_client(udp_packet("100.64.0.9:53", "100.64.0.1:5000")));
}

TEST_F(GatewayPolicy, AnswersPingsToItsOwnAddressesAndNothingElse) {
    network.add_resource(1, "0.0.0.0/0");
    connect("10.0.0.1:53");

    EXPECT_TRUE(passes(packet::make_icmp_echo_request(ip("100.64.0.1"), ip("100.64.1.1"), 1, 1, {})));
    EXPECT_TRUE(reaches_client(packet::make_icmp_echo_reply(ip("100.64.1.1"), ip("100.64.0.1"), 1, 1, {})));

    EXPECT_FALSE(udp("100.64.1.1:53535"));
    EXPECT_EQ(answer(), "3/13 from 100.64.1.1 about 100.64.1.1") << "like everything that is refused";
    EXPECT_FALSE(tcp("100.64.1.1:22"));
    EXPECT_FALSE(reaches_client(udp_packet("100.64.1.1:53535", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(tcp_packet("100.64.1.1:22", "100.64.0.1:5000")));
}

TEST_F(GatewayPolicy, ChecksWhatComesBack) {
    network.add_resource(1, "10.0.0.0/24", {.gateway = 1, .filters = {test::tcp(80, 80)}, .expires_at = {}});
    connect("10.0.0.1:53");

    ASSERT_TRUE(tcp("10.0.0.5:80"));
    EXPECT_TRUE(reaches_client(tcp_packet("10.0.0.5:80", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(tcp_packet("10.0.0.5:9999", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(tcp_packet("10.0.1.5:80", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(tcp_packet("10.0.0.5:80", "100.64.0.8:5000"))) << "no such client";
    EXPECT_FALSE(reaches_client(tcp_packet("10.0.0.5:80", "192.0.2.9:5000"))) << "not for the tunnel";
    const auto unreachable = [](std::string_view from, std::string_view to) {
        return packet::make_icmp(ip(from), ip("100.64.0.1"), 3, 1, 0, tcp_packet("100.64.0.1:5000", to));
    };
    EXPECT_TRUE(reaches_client(unreachable("10.0.0.5", "10.0.0.5:80")));
    EXPECT_TRUE(reaches_client(unreachable("192.0.2.1", "10.0.0.5:80"))) << "a router on the way";
    EXPECT_FALSE(reaches_client(unreachable("10.0.0.5", "10.0.0.5:81"))) << "about what was never sent";
}

TEST_F(GatewayPolicy, PassesOnlyWhatTheClientAskedFor) {
    network.add_resource(1, "10.0.0.0/24");
    connect("10.0.0.1:53");

    EXPECT_FALSE(reaches_client(udp_packet("10.0.0.5:53", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(tcp_packet("10.0.0.5:80", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(packet::make_icmp_echo_request(ip("10.0.0.5"), ip("100.64.0.1"), 1, 1, {})));
    EXPECT_FALSE(reaches_client(packet::make_icmp_echo_reply(ip("10.0.0.5"), ip("100.64.0.1"), 1, 1, {})));

    ASSERT_TRUE(udp("10.0.0.5:53"));
    ASSERT_TRUE(passes(packet::make_icmp_echo_request(ip("100.64.0.1"), ip("10.0.0.5"), 1, 1, {})));
    EXPECT_TRUE(reaches_client(udp_packet("10.0.0.5:53", "100.64.0.1:5000")));
    EXPECT_TRUE(reaches_client(packet::make_icmp_echo_reply(ip("10.0.0.5"), ip("100.64.0.1"), 1, 1, {})));
    EXPECT_FALSE(reaches_client(udp_packet("10.0.0.5:53", "100.64.0.1:5001")));
    EXPECT_FALSE(reaches_client(packet::make_icmp_echo_request(ip("10.0.0.5"), ip("100.64.0.1"), 1, 1, {})));

    network.run_for(302s);
    ASSERT_TRUE(udp("10.0.0.6:53"));
    ASSERT_TRUE(reaches_client(udp_packet("10.0.0.6:53", "100.64.0.1:5000")));
    EXPECT_FALSE(reaches_client(udp_packet("10.0.0.5:53", "100.64.0.1:5000"))) << "too late for an answer";
}

TEST_F(GatewayPolicy, PassesNothingOfAFlowWhoseAccessEnded) {
    network.add_resource(1, "10.1.0.0/24");
    network.add_resource(2, "10.2.0.0/24");
    connect("10.1.0.1:53");
    connect("10.2.0.1:53");
    network.is_portal_answering = false;
    ASSERT_TRUE(reaches_client(udp_packet("10.1.0.1:53", "100.64.0.1:5000")));

    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR1});

    EXPECT_FALSE(reaches_client(udp_packet("10.1.0.1:53", "100.64.0.1:5000")));
    EXPECT_TRUE(reaches_client(udp_packet("10.2.0.1:53", "100.64.0.1:5000")));
}

TEST_F(GatewayPolicy, StopsTrafficAtOnceWhenAccessIsRejected) {
    network.add_resource(1, "10.1.0.0/24");
    network.add_resource(2, "10.2.0.0/24");
    connect("10.1.0.1:53");
    connect("10.2.0.1:53");
    network.is_portal_answering = false;
    EXPECT_TRUE(udp("10.1.0.1:53"));

    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR1});
    EXPECT_FALSE(udp("10.1.0.1:53"));
    EXPECT_EQ(answer(), "3/13 from 10.1.0.1 about 10.1.0.1");
    EXPECT_FALSE(reaches_client(udp_packet("10.1.0.1:53", "100.64.0.1:5000")));
    EXPECT_TRUE(udp("10.2.0.1:53"));

    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR2});
    network.run_for(100ms);
    EXPECT_EQ(network.client.resources.front().status, ResourceStatus::kUnknown) << "goodbye";
    EXPECT_FALSE(udp("10.2.0.1:53"));

    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR2});
    network.to_gateway(gateway, portal_api::RejectAccess{id<ClientId>(9), kR2});
}

TEST_F(GatewayPolicy, TakesNewFiltersAtOnce) {
    network.add_resource(1, "10.0.0.0/24", {.gateway = 1, .filters = {test::tcp(80, 80)}, .expires_at = {}});
    connect("10.0.0.1:53");
    network.is_portal_answering = false;
    EXPECT_TRUE(tcp("10.0.0.1:80"));

    network.to_gateway(gateway, portal_api::ResourceUpdated{gateway_cidr(1, "10.9.0.0/24", {test::udp(53, 53)})});

    EXPECT_FALSE(tcp("10.0.0.1:80"));
    EXPECT_TRUE(udp("10.0.0.1:53"));
    network.to_gateway(gateway,
                       portal_api::ResourceUpdated{portal_api::GatewayDnsResource{kR1, "", "example.com", {}}});
    EXPECT_TRUE(udp("10.0.0.1:53"));
}

TEST_F(GatewayPolicy, TakesTheSnapshotOfInitForTheWholeTruth) {
    const auto start = network.wall_now();
    network.add_resource(1, "10.1.0.0/24");
    network.add_resource(2, "10.2.0.0/24");
    connect("10.1.0.1:53");
    connect("10.2.0.1:53");
    network.is_portal_answering = false;

    network.init_gateway(gateway, {{network.client.id, kR2, start + 100s}, {id<ClientId>(9), kR2, start + 100s}});
    EXPECT_FALSE(udp("10.1.0.1:53"));
    EXPECT_TRUE(udp("10.2.0.1:53"));
    network.run_for(start + 99s - network.wall_now());
    EXPECT_TRUE(udp("10.2.0.1:53"));
    network.run_for(3s);
    EXPECT_FALSE(udp("10.2.0.1:53")) << "the new expiry counts";
}

TEST_F(GatewayPolicy, RevokesEverythingOfClientsThatTheSnapshotLacks) {
    network.add_resource(1, "10.1.0.0/24");
    connect("10.1.0.1:53");
    network.is_portal_answering = false;

    network.init_gateway(gateway, {});
    network.run_for(1100ms);

    EXPECT_EQ(network.client.resources.front().status, ResourceStatus::kUnknown) << "goodbye";
    EXPECT_FALSE(udp("10.1.0.1:53"));
}

TEST_F(GatewayPolicy, ChangesTheExpiryOfARunningAuthorization) {
    const auto start = network.wall_now();
    network.add_resource(1, "10.1.0.0/24", {.gateway = 1, .filters = {}, .expires_at = start + 10s});
    connect("10.1.0.1:53");
    network.is_portal_answering = false;

    network.to_gateway(gateway, portal_api::AccessAuthorizationExpiryUpdated{network.client.id, kR1, start + 30s});
    network.to_gateway(gateway, portal_api::AccessAuthorizationExpiryUpdated{id<ClientId>(9), kR1, start + 5s});
    network.run_for(20s);
    EXPECT_TRUE(udp("10.1.0.1:53"));
    network.run_for(12s);
    EXPECT_FALSE(udp("10.1.0.1:53"));
}

TEST_F(GatewayPolicy, RefusesAuthorizationsThatHaveExpiredByItsClock) {
    network.add_resource(1, "10.1.0.0/24", {.expires_at = network.wall_now()});
    network.add_resource(2, "10.2.0.0/24", {.expires_at = network.wall_now() + 5s});

    EXPECT_FALSE(udp("10.1.0.1:53"));
    EXPECT_EQ(answer(), "none");
    connect("10.2.0.1:53");
    EXPECT_TRUE(udp("10.2.0.1:53"));
    network.to_gateway(gateway, network.authorize_flow(kR1));
    EXPECT_FALSE(udp("10.1.0.1:53"));
}

TEST_F(GatewayPolicy, DoubtsItsClockNowAndThen) {
    network.add_resource(1, "10.1.0.0/24", {.expires_at = network.wall_now() - 1h});
    network.add_resource(2, "10.2.0.0/24", {.expires_at = network.wall_now() - 1min});
    network.add_resource(3, "10.3.0.0/24", {.expires_at = UnixSeconds{-253'402'300'799s}});
    int warnings = 0;
    const log::CaptureScope capture{log::Level::kWarn, [&](auto&&...) { ++warnings; }};

    network.to_gateway(gateway, network.authorize_flow(kR2));
    EXPECT_EQ(warnings, 0) << "the message may have taken that long";
    for (int i = 0; i < 301; ++i) {
        network.to_gateway(gateway, network.authorize_flow(kR1));
        network.run_for(1s);
    }
    EXPECT_EQ(warnings, 2) << "each five minutes";
    network.run_for(300s);
    network.to_gateway(gateway, network.authorize_flow(id<ResourceId>(3)));
    EXPECT_EQ(warnings, 3);
}

TEST_F(GatewayPolicy, CountsTheDevicesOfAnActorTogether) {
    network.add_resource(1, "10.0.0.0/24", {.gateway = 1, .filters = {}, .expires_at = {}});
    const auto owner_with = [&](std::optional<std::string> actor) {
        auto message = network.authorize_flow(kR1);
        message.subject.actor_id = std::move(actor);
        network.to_gateway(gateway, message);
        const auto state = gateway.state.debug_snapshot(network.now);
        const auto at = state.find("owner=") + std::string_view{"owner="}.size();
        return state.substr(at, state.find_first_of(" \n", at) - at);
    };
    const auto actor = id<ResourceId>(9).to_string();
    EXPECT_EQ(owner_with(actor), actor);
    EXPECT_EQ(owner_with(std::nullopt), network.client.id.to_string());
    EXPECT_EQ(owner_with("no id"), network.client.id.to_string());
}

TEST_F(GatewayPolicy, KeepsAuthorizationsOverALostConnection) {
    network.add_resource(1, "10.1.0.0/24");
    network.add_resource(2, "10.2.0.0/24");
    connect("10.1.0.1:53");

    // the client loses its state without a word and comes back for R-2 only
    network.client.state.reset("roamed", network.now);
    network.init_client();
    network.run_for(60s);
    connect("10.2.0.1:53");

    EXPECT_TRUE(reaches_client(udp_packet("10.2.0.1:53", "100.64.0.1:5000")));
    network.to_gateway(gateway, portal_api::RejectAccess{network.client.id, kR2});
    EXPECT_TRUE(gateway.state.poll_timeout().has_value());
    network.run_for(100ms);
    EXPECT_EQ(network.client.resources.back().status, ResourceStatus::kOnline) << "R-1 keeps the connection alive";
}

TEST_F(GatewayPolicy, EndsTheAccessOfAnIdleClientInTime) {
    const auto expires_at = network.wall_now() + 70s;
    network.add_resource(1, "10.1.0.0/24", {.expires_at = expires_at});
    connect("10.1.0.1:53");

    network.run_for(expires_at - network.wall_now() - 1s);
    EXPECT_EQ(network.client.resources.back().status, ResourceStatus::kOnline);

    network.run_for(3s);
    EXPECT_EQ(network.client.resources.back().status, ResourceStatus::kUnknown) << "the gateway said goodbye";
}

TEST_F(GatewayPolicy, AnswersChecksAtOnce) {
    network.add_resource(1, "10.1.0.0/24");
    connect("10.1.0.1:53");
    const auto flow = network.authorize_flow(kR1);
    const auto check = stun::MessageBuilder{stun::Class::kRequest, stun::Method::kBinding, {}}
                           .text(stun::AttributeType::kUsername,
                                 flow.gateway_ice_credentials.username + ':' + flow.client_ice_credentials.username)
                           .u32(stun::AttributeType::kPriority, 1)
                           .integrity(as_bytes(flow.gateway_ice_credentials.password))
                           .fingerprint()
                           .build();
    network.inject(gateway, check);
    network.run_for(30ms);
    ASSERT_GT(gateway.state.poll_timeout(), network.now) << "the way back was checked and is not due again";

    network.inject(gateway, check);

    EXPECT_LE(gateway.state.poll_timeout(), network.now);
}

TEST_F(GatewayPolicy, ForgetsAClientThatSaysGoodbye) {
    network.add_resource(1, "10.1.0.0/24");
    connect("10.1.0.1:53");

    network.client.state.shut_down(network.now);
    network.drain();
    network.run_for(1s);

    const auto before = network.datagrams;
    network.send(gateway, udp_packet("10.1.0.1:53", "100.64.0.1:5000"));
    EXPECT_EQ(network.datagrams, before);
}

TEST_F(GatewayPolicy, SaysGoodbyeToAllClientsOnShutdown) {
    network.add_resource(1, "10.1.0.0/24");
    connect("10.1.0.1:53");
    network.is_portal_answering = false;

    gateway.state.shut_down(network.now);
    network.drain();
    network.run_for(100ms);

    EXPECT_EQ(network.client.resources.front().status, ResourceStatus::kUnknown);
    EXPECT_FALSE(udp("10.1.0.1:53"));
    EXPECT_EQ(network.client.intents.size(), 1U);
}

TEST_F(GatewayPolicy, SurvivesABadDatagramInABatch) {
    network.add_resource(1, "10.1.0.0/24");
    connect("10.1.0.1:53");
    gateway.drops.clear();

    network.send(udp_packet("100.64.0.1:5000", "10.1.0.1:53", 1));
    network.run_for(20ms);
    network.inject(gateway, as_bytes("this is not WireGuard"));
    Bytes data(64, std::byte{7});
    data[0] = std::byte{4};
    data[1] = data[2] = data[3] = std::byte{0};
    network.inject(gateway, data);
    network.send(udp_packet("100.64.0.1:5000", "10.1.0.1:53", 2));
    network.run_for(20ms);

    EXPECT_EQ(gateway.received.size(), 2U);
    ASSERT_EQ(gateway.drops.size(), 1U) << "one event for all errors of the tick";
    EXPECT_EQ(gateway.drops[0].packets.size(), 2U);
    EXPECT_EQ(gateway.drops[0].omitted, 0U);
}

TEST_F(GatewayPolicy, BoundsTheErrorsOfATick) {
    for (int i = 0; i < 100; ++i) {
        network.inject(gateway, as_bytes("garbage that is long enough to look like something"));
    }
    network.drain();

    ASSERT_EQ(gateway.drops.size(), 1U);
    EXPECT_EQ(gateway.drops[0].packets.size(), 32U);
    EXPECT_EQ(gateway.drops[0].omitted, 68U);
}

TEST_F(GatewayPolicy, AcceptsNothingBeforeInitOrWithoutRelays) {
    network.add_resource(1, "10.1.0.0/24");
    const auto message = network.authorize_flow(kR1);
    GatewayTunnel fresh{Rng::from_number(5), network.now, WallTime{}};

    fresh.handle_portal(message, network.now, network.wall_now());
    EXPECT_FALSE(fresh.poll_event());

    portal_api::GatewayInit init;
    init.interface = {ip("100.64.1.1"), ip("fd00:2021:1111::1:1"), {}, {}};
    fresh.handle_portal(init, network.now, network.wall_now());
    fresh.handle_portal(message, network.now, network.wall_now());
    EXPECT_TRUE(std::holds_alternative<TunInterfaceUpdated>(*fresh.poll_event()));
    EXPECT_TRUE(std::holds_alternative<AskForRelays>(*fresh.poll_event()));
    EXPECT_FALSE(fresh.poll_event()) << "no reply";
}

// --- Clients that do not keep to the protocol ---

class GatewayAndRogue : public GatewayPolicy {
protected:
    void SetUp() override {
        network.connect_rogue(gateway, gateway_cidr(1, "10.1.0.0/24"));
        gateway.drops.clear();
    }
    void send(ByteSpan packet) {
        network.rogue->received.clear();
        gateway.received.clear();
        network.send_from_rogue(gateway, packet);
        network.run_for(100ms);
    }
    [[nodiscard]] bool is_connected() {
        send(udp_packet("100.64.0.1:5000", "10.1.0.1:53"));
        return !gateway.received.empty();
    }
};

TEST_F(GatewayAndRogue, SpoofedSourcesAreRefused) {
    ASSERT_TRUE(is_connected());

    send(udp_packet("100.64.0.2:5000", "10.1.0.1:53"));

    EXPECT_TRUE(gateway.received.empty());
    ASSERT_EQ(network.rogue->received.size(), 1U);
    EXPECT_EQ(describe(network.rogue->received[0]), "3/13 from 10.1.0.1 about 10.1.0.1");
    send(udp_packet("100.64.0.2:5000", "100.64.1.1:53535"));
    EXPECT_TRUE(gateway.received.empty()) << "not even to the gateway itself";
}

TEST_F(GatewayAndRogue, FlowsOpenNoFasterThanAHostCanTrack) {
    ASSERT_TRUE(is_connected());
    int notices = 0;
    const log::CaptureScope capture{log::Level::kInfo, [&](auto&&...) { ++notices; }};
    const auto scan = [&](std::uint16_t source_port) {
        gateway.received.clear();
        for (std::uint32_t port = 1; port <= 10'000; ++port) {
            const auto to = net::SocketAddress{ip("10.1.0.1"), static_cast<std::uint16_t>(port)};
            network.send_from_rogue(
                gateway, packet::make_tcp({ip("100.64.0.1"), source_port}, to, {.flags = packet::kTcpSyn}, {}));
        }
        network.run_for(100ms);
        const auto passed = gateway.received.size();
        network.rogue->received.clear();
        return passed;
    };
    EXPECT_NEAR(static_cast<double>(scan(1)), kGatewayFlowRate.burst, 10);
    EXPECT_TRUE(is_connected()) << "the flow that it has goes on";
    EXPECT_TRUE(network.rogue->received.empty()) << "no error, or clients would ask for access again";
    network.run_for(1s);
    EXPECT_NEAR(static_cast<double>(scan(2)), 1.2s / kGatewayFlowRate.cost(), 20);
    EXPECT_EQ(notices, 1);
}

TEST_F(GatewayAndRogue, RequestsForTranslationAreAnsweredInactive) {
    const auto request = p2p::make_control_packet(
        p2p::EventType::kAssignedIps,
        as_bytes(R"({"resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","domain":"a.example","proxy_ips":[]})"));

    send(*request);

    ASSERT_EQ(network.rogue->received.size(), 1U);
    const auto status = p2p::parse_control_packet(network.rogue->received[0]);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->event_type, static_cast<std::uint8_t>(p2p::EventType::kDomainStatus));
    EXPECT_EQ(as_text(status->payload),
              R"({"resource":"6a1f0f3e-2c1d-4a55-9d0e-0b7c52a9e101","domain":"a.example","status":"Inactive"})");
}

TEST_F(GatewayAndRogue, BadControlPacketsAreIgnored) {
    auto unknown = to_bytes(p2p::goodbye_packet());
    unknown[40] = std::byte{77};
    send(unknown);
    EXPECT_TRUE(network.rogue->received.empty());
    send(*p2p::make_control_packet(p2p::EventType::kAssignedIps, as_bytes("{]")));
    EXPECT_TRUE(network.rogue->received.empty());
    send(*p2p::make_control_packet(p2p::EventType::kDomainStatus, as_bytes("{}")));
    EXPECT_TRUE(network.rogue->received.empty());

    EXPECT_TRUE(gateway.received.empty()) << "control packets never reach the TUN";
    EXPECT_TRUE(is_connected());
}

TEST_F(GatewayAndRogue, GoodbyeEndsEverythingAtOnce) {
    ASSERT_TRUE(is_connected());

    send(p2p::goodbye_packet());

    EXPECT_FALSE(is_connected());
}

// A client that gives up its last resource says so through the tunnel, and asks for the next through the portal: the
// authorization may arrive first.
TEST_F(GatewayAndRogue, GoodbyeThatWasSaidBeforeAnAuthorizationEndsNothing) {
    network.to_gateway(gateway, network.rogue_authorization);
    network.run_for(1800ms);
    send(p2p::goodbye_packet());
    EXPECT_TRUE(is_connected());
    network.run_for(30s);
    EXPECT_TRUE(is_connected());

    send(p2p::goodbye_packet());
    EXPECT_FALSE(is_connected());
}

TEST_F(GatewayAndRogue, GoodbyeInDoubtCountsIfNothingIsHeardOfTheClient) {
    network.to_gateway(gateway, network.rogue_authorization);
    send(p2p::goodbye_packet());
    network.run_for(24s);
    EXPECT_THAT(gateway.state.debug_snapshot(network.now), testing::HasSubstr("grant"));

    network.run_for(2s);
    EXPECT_THAT(gateway.state.debug_snapshot(network.now), testing::Not(testing::HasSubstr("grant")));
    EXPECT_FALSE(is_connected());
}

TEST_F(GatewayAndRogue, MalformedPacketsInsideTheTunnelAreErrors) {
    auto bad_udp = udp_packet("100.64.0.1:5000", "10.1.0.1:53");
    store_be(MutableByteSpan{bad_udp}.subspan(24), std::uint16_t{3});  // UDP length below the header's

    send(bad_udp);

    EXPECT_TRUE(gateway.received.empty());
    EXPECT_EQ(gateway.drops.size(), 1U);
    EXPECT_TRUE(is_connected());
}

}  // namespace
}  // namespace culvert::tunnel::test
