// What both ends of an authorization record of the flows within it.

#include <gtest/gtest.h>

#include "culvert/dns/test_messages.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using portal_api::FlowProtocol;
using portal_api::FlowRole;

class FlowRecordsTest : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16", {.gateway = 1, .records_flows = true});
        network.add_resource(2, "10.2.0.0/16", {.gateway = 1});
    }

    void send(std::uint8_t flags, std::size_t size = 0) {
        network.send(packet::make_tcp(socket("100.64.0.1:5000"), socket("10.1.0.5:80"), {.flags = flags}, Bytes(size)));
    }
    void answer(std::uint8_t flags, std::size_t size = 0) {
        network.send(gateway,
                     packet::make_tcp(socket("10.1.0.5:80"), socket("100.64.0.1:5000"), {.flags = flags}, Bytes(size)));
    }
    void connect() {
        send(packet::kTcpSyn);
        network.run_for(3s);
        answer(packet::kTcpSyn | packet::kTcpAck);
        send(packet::kTcpAck, 100);
        answer(packet::kTcpAck, 1000);
        answer(packet::kTcpAck, 1000);
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
    TunnelNetwork::Client& client = network.client;
};

TEST_F(FlowRecordsTest, BothEndsRecordTheSame) {
    connect();
    network.run_for(1s);
    ASSERT_EQ(client.records.size(), 1U);
    ASSERT_EQ(gateway.records.size(), 1U);
    EXPECT_FALSE(client.records[0].end);
    EXPECT_FALSE(gateway.records[0].end);

    answer(packet::kTcpRst);
    network.run_for(1s);
    ASSERT_EQ(client.records.size(), 2U);
    ASSERT_EQ(gateway.records.size(), 2U);
    for (const auto* records : {&client.records, &gateway.records}) {
        const auto& closed = records->back();
        EXPECT_EQ(closed.authorization->id, id<ResourceId>(1).uuid());
        EXPECT_EQ(closed.authorization->role, records == &client.records ? FlowRole::kInitiator : FlowRole::kResponder);
        EXPECT_EQ(closed.protocol, FlowProtocol::kTcp);
        EXPECT_EQ(closed.source, socket("100.64.0.1:5000"));
        EXPECT_EQ(closed.destination, socket("10.1.0.5:80"));
        EXPECT_TRUE(closed.domain.empty());
        EXPECT_EQ(closed.started_at, records->front().started_at);
        ASSERT_TRUE(closed.end);
        EXPECT_EQ(closed.end->tx_packets, 2U);
        EXPECT_EQ(closed.end->tx_bytes, 100U);
        EXPECT_EQ(closed.end->rx_packets, 4U);
        EXPECT_EQ(closed.end->rx_bytes, 2000U);
        ASSERT_FALSE(closed.paths.empty());
    }
    const auto& out = client.records.back().paths.back();
    const auto& back = gateway.records.back().paths.back();
    ASSERT_TRUE(out.source && back.source);
    EXPECT_EQ(out.source->ip, client.address);
    EXPECT_EQ(out.destination.ip, gateway.address);
    EXPECT_EQ(back.source->ip, gateway.address) << "each names the way on which it sends";
    EXPECT_EQ(back.destination.ip, client.address);
}

TEST_F(FlowRecordsTest, AreOfAuthorizationsThatWantThem) {
    network.send(packet::make_udp(socket("100.64.0.1:5000"), socket("10.2.0.5:53"), Bytes(9)));
    network.run_for(5s);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(client.records.empty());
    EXPECT_TRUE(gateway.records.empty());
    connect();
    network.send(packet::make_udp(socket("100.64.0.1:5000"), socket("10.2.0.5:53"), Bytes(9)));
    network.run_for(2s);
    EXPECT_EQ(client.records.size(), 1U);
    EXPECT_EQ(gateway.records.size(), 1U);
}

TEST_F(FlowRecordsTest, PingsAreNotAmongThem) {
    network.send(packet::make_icmp_echo_request(ip("100.64.0.1"), ip("10.1.0.5"), 1, 1, Bytes(8)));
    network.run_for(5s);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_TRUE(client.records.empty());
    EXPECT_TRUE(gateway.records.empty());
}

TEST_F(FlowRecordsTest, NameWhatANameStoodForOnEitherSide) {
    client.state.apply(SetSystemResolvers{{ip("192.0.2.53")}}, network.now, network.wall_now());
    network.add_resource(dns(3, "*.corp.example"), {.gateway = 1, .records_flows = true});
    network.send(packet::make_udp(socket("100.64.0.1:40000"), socket("100.100.111.1:53"),
                                  dns::test::query("wiki.corp.example")));
    network.send(packet::make_udp(socket("100.64.0.1:5000"), socket("100.96.0.1:80"), Bytes(12)));
    network.run_for(3s);
    ASSERT_EQ(gateway.look_ups.size(), 1U);
    network.command(gateway, NameFound{.id = gateway.look_ups[0].id, .addresses = {ip("10.0.0.7")}, .lifetime = 1h});
    network.run_for(3s);
    network.send(gateway, packet::make_udp(socket("10.0.0.7:80"), socket("100.64.0.1:5000"), Bytes(7)));
    network.run_for(130s);

    ASSERT_EQ(client.records.size(), 2U);
    ASSERT_EQ(gateway.records.size(), 2U);
    EXPECT_EQ(client.records[1].domain, "wiki.corp.example");
    EXPECT_EQ(gateway.records[1].domain, "wiki.corp.example");
    EXPECT_EQ(client.records[1].destination, socket("100.96.0.1:80"));
    EXPECT_EQ(gateway.records[1].destination, socket("10.0.0.7:80"));
    for (const auto* records : {&client.records, &gateway.records}) {
        ASSERT_TRUE(records->back().end) << "after two minutes of silence";
        EXPECT_EQ(records->back().end->rx_bytes, 7U);
    }
}

TEST_F(FlowRecordsTest, EndWithAccess) {
    connect();
    network.run_for(1s);
    network.to_gateway(gateway, portal_api::RejectAccess{client.id, id<ResourceId>(1)});
    network.run_for(2s);
    ASSERT_EQ(gateway.records.size(), 2U);
    EXPECT_TRUE(gateway.records[1].end);
    ASSERT_EQ(client.records.size(), 2U) << "the gateway said goodbye";
    EXPECT_TRUE(client.records[1].end);
}

TEST_F(FlowRecordsTest, EndWithTheResource) {
    connect();
    network.run_for(1s);
    network.remove_resource(id<ResourceId>(1));
    network.run_for(2s);
    ASSERT_EQ(client.records.size(), 2U);
    EXPECT_TRUE(client.records[1].end);
}

TEST_F(FlowRecordsTest, EndWithTheProgram) {
    connect();
    network.run_for(1s);
    network.command(gateway, ShutDown{});
    client.state.apply(ShutDown{}, network.now, network.wall_now());
    network.run_for(1s);
    ASSERT_EQ(gateway.records.size(), 2U);
    EXPECT_TRUE(gateway.records[1].end);
    ASSERT_EQ(client.records.size(), 2U);
    EXPECT_TRUE(client.records[1].end);
}

}  // namespace
}  // namespace culvert::tunnel::test
