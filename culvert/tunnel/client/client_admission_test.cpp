#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// What a client lets in from a gateway that keeps no rule, or from hosts behind one that does not hold them back.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kHere = "100.64.0.1:5000";
constexpr std::string_view kThere = "10.1.0.5:53";

Bytes udp_packet(std::string_view source, std::string_view destination, std::uint8_t number = 0) {
    return packet::make_udp(socket(source), socket(destination), Bytes(1, std::byte{number}));
}
Bytes tcp_packet(std::string_view source, std::string_view destination, std::uint8_t flags = packet::kTcpAck) {
    return packet::make_tcp(socket(source), socket(destination), {.flags = flags}, {});
}

class ClientAdmission : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16");
        network.add_resource(2, "10.2.0.0/16");
        network.connect_rogue_gateway(1, udp_packet(kHere, kThere));
        ASSERT_EQ(network.rogue_gateway->received.size(), 1U);
    }

    void send(const Bytes& packet) {
        network.send(packet);
        network.run_for(100ms);
    }
    /// Whether the packet gets from the rogue gateway to an application.
    bool gets_in(const Bytes& packet) {
        network.client.received.clear();
        network.send_from_rogue_gateway(packet);
        network.run_for(100ms);
        return !network.client.received.empty();
    }
    Bytes unreachable(const Bytes& about, std::string_view source = "10.1.0.5") {
        return packet::make_icmp(ip(source), client, 3, 1, 0, about);
    }

    TunnelNetwork network;
    net::IpAddress client = network.client.ipv4;
    net::IpAddress host = ip("10.1.0.5");
};

TEST_F(ClientAdmission, IsForAnswersAlone) {
    EXPECT_TRUE(gets_in(udp_packet(kThere, kHere)));

    EXPECT_FALSE(gets_in(udp_packet(kThere, "100.64.0.1:5001")));
    EXPECT_FALSE(gets_in(udp_packet("10.1.0.5:54", kHere)));
    EXPECT_FALSE(gets_in(udp_packet("10.1.0.6:53", kHere)));
    EXPECT_FALSE(gets_in(tcp_packet(kThere, kHere, packet::kTcpSyn)));
    EXPECT_FALSE(gets_in(tcp_packet(kThere, kHere)));
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_request(host, client, 1, 1, {})));
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_reply(host, client, 1, 1, {})));
    EXPECT_FALSE(gets_in(packet::make_ip(host, client, 47, Bytes(8))));
    EXPECT_FALSE(gets_in(udp_packet("100.64.1.66:53", kHere))) << "the gateway itself";
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_request(ip("100.64.1.66"), client, 1, 1, {})));
}

TEST_F(ClientAdmission, IsForAnswersOfEveryProtocol) {
    send(tcp_packet(kHere, "10.1.0.5:80", packet::kTcpSyn));
    EXPECT_TRUE(gets_in(tcp_packet("10.1.0.5:80", kHere, packet::kTcpSyn | packet::kTcpAck)));
    send(tcp_packet(kHere, "10.1.0.5:80"));
    EXPECT_TRUE(gets_in(tcp_packet("10.1.0.5:80", kHere)));
    EXPECT_FALSE(gets_in(tcp_packet("10.1.0.5:80", kHere, packet::kTcpSyn))) << "connects back";

    send(packet::make_icmp_echo_request(client, host, 7, 1, {}));
    EXPECT_TRUE(gets_in(packet::make_icmp_echo_reply(host, client, 7, 1, {})));
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_reply(host, client, 8, 1, {})));
    EXPECT_FALSE(gets_in(packet::make_icmp_echo_request(host, client, 7, 1, {})));

    send(packet::make_ip(client, host, 47, Bytes(8)));
    EXPECT_TRUE(gets_in(packet::make_ip(host, client, 47, Bytes(8))));
    EXPECT_FALSE(gets_in(packet::make_ip(host, client, 50, Bytes(8))));

    send(packet::make_icmp_echo_request(client, ip("100.64.1.66"), 9, 1, {}));
    EXPECT_TRUE(gets_in(packet::make_icmp_echo_reply(ip("100.64.1.66"), client, 9, 1, {})));
}

TEST_F(ClientAdmission, IsForErrorsAboutWhatWasSent) {
    EXPECT_TRUE(gets_in(unreachable(udp_packet(kHere, kThere))));
    EXPECT_TRUE(gets_in(unreachable(udp_packet(kHere, kThere), "192.0.2.1"))) << "a router on the way";
    EXPECT_TRUE(gets_in(packet::make_icmp(ip("192.0.2.1"), client, 11, 0, 0, udp_packet(kHere, kThere))));

    EXPECT_FALSE(gets_in(unreachable(udp_packet(kHere, "10.1.0.5:54"))));
    EXPECT_FALSE(gets_in(unreachable(udp_packet("100.64.0.1:5001", kThere))));
    EXPECT_FALSE(gets_in(unreachable(udp_packet("100.64.0.9:5000", kThere))));
    EXPECT_FALSE(gets_in(unreachable(tcp_packet(kHere, kThere))));
    EXPECT_FALSE(gets_in(unreachable(packet::make_ip(client, host, 47, Bytes(8)))));
    EXPECT_FALSE(gets_in(unreachable({})));
    EXPECT_FALSE(gets_in(unreachable(udp_packet(kHere, kThere), "127.0.0.1")));
    EXPECT_FALSE(gets_in(unreachable(udp_packet(kHere, kThere), "100.64.0.1"))) << "from ourselves";
    EXPECT_FALSE(gets_in(packet::make_icmp(host, client, 5, 1, 0x0a010001, udp_packet(kHere, kThere)))) << "redirect";
}

TEST_F(ClientAdmission, IsThroughTheGatewayOfTheFlowAlone) {
    network.add_gateway(1);
    network.run_for(1s);
    send(udp_packet(kHere, "10.2.0.5:53"));
    network.run_for(3s);
    ASSERT_EQ(network.gateways.at(1).received.size(), 1U);

    EXPECT_FALSE(gets_in(udp_packet("10.2.0.5:53", kHere)));
    EXPECT_FALSE(gets_in(unreachable(udp_packet(kHere, "10.2.0.5:53"), "10.1.0.5")));
    EXPECT_TRUE(network.client.intents.size() <= 2U);
    network.client.received.clear();
    network.send(network.gateways.at(1), udp_packet("10.2.0.5:53", kHere));
    network.run_for(100ms);
    EXPECT_EQ(network.client.received.size(), 1U);
}

TEST_F(ClientAdmission, EndsWhenTheResourceIsGone) {
    send(udp_packet(kHere, "100.64.1.66:7"));
    network.add_resource(3, "10.3.0.0/16");
    EXPECT_TRUE(gets_in(udp_packet(kThere, kHere))) << "what else changes does not matter";
    network.to_client(portal_api::ResourceDeleted{id<ResourceId>(1)});
    EXPECT_FALSE(gets_in(udp_packet(kThere, kHere)));
}

TEST_F(ClientAdmission, EndsAfterFiveIdleMinutesForDatagrams) {
    network.run_for(290s);
    EXPECT_TRUE(gets_in(udp_packet(kThere, kHere)));
    network.run_for(302s);
    send(udp_packet(kHere, "10.1.0.5:54"));
    ASSERT_TRUE(gets_in(udp_packet("10.1.0.5:54", kHere)));
    EXPECT_FALSE(gets_in(udp_packet(kThere, kHere)));
    send(udp_packet(kHere, kThere));
    EXPECT_TRUE(gets_in(udp_packet(kThere, kHere)));
}

TEST_F(ClientAdmission, OutlastsTwoIdleHoursOfATcpConnection) {
    send(tcp_packet(kHere, "10.1.0.5:22", packet::kTcpSyn));
    ASSERT_TRUE(gets_in(tcp_packet("10.1.0.5:22", kHere, packet::kTcpSyn | packet::kTcpAck)));
    send(tcp_packet(kHere, "10.1.0.5:22"));

    for (int i = 0; i < 123; ++i) {
        network.run_for(1min);
    }
    EXPECT_TRUE(gets_in(tcp_packet("10.1.0.5:22", kHere)));
}

TEST_F(ClientAdmission, IsNotForSourceRoutesInEitherDirection) {
    auto routed = udp_packet(kThere, kHere);
    const auto option = *from_hex("8307040a01000500");
    routed.insert(routed.begin() + 20, option.begin(), option.end());
    routed[0] = std::byte{0x47};
    store_be(MutableByteSpan{routed}.subspan(2), static_cast<std::uint16_t>(routed.size()));
    EXPECT_FALSE(gets_in(routed));

    auto sent = udp_packet(kHere, kThere);
    sent.insert(sent.begin() + 20, option.begin(), option.end());
    sent[0] = std::byte{0x47};
    store_be(MutableByteSpan{sent}.subspan(2), static_cast<std::uint16_t>(sent.size()));
    network.rogue_gateway->received.clear();
    send(sent);
    EXPECT_TRUE(network.rogue_gateway->received.empty());
}

}  // namespace
}  // namespace culvert::tunnel::test
