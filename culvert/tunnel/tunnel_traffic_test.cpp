#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Client, gateway, relay and portal together: what an application sends arrives, and the answer comes back.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

class Traffic : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16");
        network.add_resource(2, "2001:db8::/32");
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
};

TEST_F(Traffic, PingIsAnswered) {
    const auto request = packet::make_icmp_echo_request(ip("100.64.0.1"), ip("10.1.0.5"), 7, 1, Bytes(56));
    const auto reply = packet::make_icmp_echo_reply(ip("10.1.0.5"), ip("100.64.0.1"), 7, 1, Bytes(56));

    network.send(request);
    network.run_for(3s);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(equal(gateway.received[0], request));

    network.send(gateway, reply);
    network.run_for(1s);
    ASSERT_EQ(network.client.received.size(), 1U);
    EXPECT_TRUE(equal(network.client.received[0], reply));
}

TEST_F(Traffic, PassesInBothFamiliesThroughOneConnection) {
    const auto v4 = packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:2"), Bytes(10));
    const auto v6 = packet::make_udp(socket("[fd00:2021:1111::1]:1"), socket("[2001:db8::5]:2"), Bytes(1232));
    network.send(v4);
    network.send(v6);
    network.run_for(3s);

    ASSERT_EQ(gateway.received.size(), 2U);
    EXPECT_TRUE(equal(gateway.received[0], v4));
    EXPECT_TRUE(equal(gateway.received[1], v6));
    EXPECT_EQ(network.client.intents.size(), 2U);
}

TEST_F(Traffic, PassesThroughTheRelayWhenPeersCannotReachEachOther) {
    const auto& client = network.client.address;
    network.is_lost = [&](const net::SocketAddress& from, const net::SocketAddress& to) {
        return (from.ip == client && to.ip == gateway.address) || (from.ip == gateway.address && to.ip == client);
    };
    const auto request = packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:2"), Bytes(1000));

    network.send(request);
    network.run_for(10s);
    ASSERT_EQ(gateway.received.size(), 1U);

    const auto reply = packet::make_udp(socket("10.1.0.5:2"), socket("100.64.0.1:1"), Bytes(1000));
    network.send(gateway, reply);
    network.run_for(1s);
    ASSERT_EQ(network.client.received.size(), 1U);
    EXPECT_TRUE(equal(network.client.received[0], reply));
}

TEST_F(Traffic, OfSuperPacketsArrivesSegmentBySegmentAndInOrder) {
    network.send(packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:2"), Bytes(10)));
    network.run_for(3s);
    gateway.received.clear();

    packet::TcpFields tcp;
    Bytes payload(20'000);
    for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<std::byte>(i);
    }
    Bytes buffer(64);
    append(buffer, packet::make_tcp(socket("100.64.0.1:1000"), socket("10.1.0.5:80"), tcp, payload));
    network.send(
        packet::TunPacket{MutableByteSpan{buffer}.subspan(64),
                          {.kind = packet::Offload::Kind::kTcp4, .segment_size = 1240, .needs_checksum = true}});
    network.run_for(1s);

    Bytes arrived;
    for (auto& bytes : gateway.received) {
        const auto packet = packet::IpPacket::parse(bytes);
        ASSERT_TRUE(packet);
        EXPECT_TRUE(packet->checksums_are_valid());
        EXPECT_EQ(packet->tcp_sequence(), arrived.size());
        append(arrived, packet->payload());
    }
    EXPECT_TRUE(equal(arrived, payload));
}

TEST_F(Traffic, CarriesEcnAcrossTheTunnel) {
    packet::IpFields fields;
    fields.ecn = net::Ecn::kEct0;
    const auto packet = packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:2"), Bytes(10), fields);
    network.send(packet);
    network.run_for(3s);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(equal(gateway.received[0], packet));

    network.outer_ecn = net::Ecn::kCe;
    network.send(packet);
    network.run_for(1s);
    ASSERT_EQ(gateway.received.size(), 2U);
    const auto marked = packet::IpPacket::parse(gateway.received[1]);
    EXPECT_EQ(marked->ecn(), net::Ecn::kCe);
    EXPECT_TRUE(marked->checksums_are_valid());
}

TEST_F(Traffic, ContinuesForHoursWithoutASecondAuthorization) {
    std::uint16_t sent = 0;
    for (int minute = 0; minute < repetitions(180); ++minute) {
        Bytes payload;
        append_be(payload, sent++);
        network.send(packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:2"), payload));
        network.run_for(60s);
    }

    EXPECT_EQ(gateway.received.size(), sent);
    EXPECT_EQ(network.client.intents.size(), 1U);
}

}  // namespace
}  // namespace culvert::tunnel::test
