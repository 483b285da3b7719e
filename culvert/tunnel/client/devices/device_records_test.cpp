#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/testing/device_network.h"
#include "culvert/tunnel/testing/test_values.h"

// What both ends record of flows between two clients.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using portal_api::FlowProtocol;
using portal_api::FlowRole;

constexpr std::array<std::uint8_t, 2> kEnds{1, 2};
constexpr std::string_view kOne = "100.64.0.1:5000";
constexpr std::string_view kTwo = "100.64.0.2:80";

class DeviceRecords : public ::testing::Test {
protected:
    void SetUp() override {
        network.recorded = {10};
        network.run_for(1s);
    }

    void segment(std::uint8_t from, std::uint8_t flags, std::size_t size = 0) {
        const auto& [source, destination] = from == 1 ? std::pair{kOne, kTwo} : std::pair{kTwo, kOne};
        network.send(from, packet::make_tcp(socket(source), socket(destination), {.flags = flags}, Bytes(size)));
        network.run_for(10ms);
    }
    void datagram(std::uint8_t from, std::string_view source, std::string_view destination) {
        network.send(from, packet::make_udp(socket(source), socket(destination), Bytes(9)));
        network.run_for(3s);
    }
    void connect() {
        segment(1, packet::kTcpSyn);
        network.run_for(3s);
        segment(2, packet::kTcpSyn | packet::kTcpAck);
        segment(1, packet::kTcpAck, 100);
        segment(2, packet::kTcpAck, 1000);
        segment(2, packet::kTcpAck, 1000);
        network.run_for(1s);
    }
    auto& records(std::uint8_t number) { return network.clients.at(number).records; }
    /// Of the flows that a client has recorded as begun by itself, or by others.
    std::size_t count(std::uint8_t number, FlowRole role) {
        return static_cast<std::size_t>(std::ranges::count_if(
            records(number), [&](const TrackedFlow& flow) { return flow.authorization->role == role && !flow.end; }));
    }

    DeviceNetwork network{3};
};

TEST_F(DeviceRecords, BothEndsRecordTheSame) {
    network.put_pool(10, {1}, {2});
    connect();
    for (const auto number : kEnds) {
        ASSERT_EQ(records(number).size(), 1U) << int{number};
        EXPECT_FALSE(records(number)[0].end);
    }

    segment(2, packet::kTcpRst);
    network.run_for(1s);
    for (const auto number : kEnds) {
        ASSERT_EQ(records(number).size(), 2U) << int{number};
        const auto& closed = records(number).back();
        EXPECT_EQ(closed.authorization->id, id<ResourceId>(10).uuid());
        EXPECT_EQ(closed.authorization->role, number == 1 ? FlowRole::kInitiator : FlowRole::kResponder);
        EXPECT_EQ(closed.protocol, FlowProtocol::kTcp);
        EXPECT_EQ(closed.source, socket(kOne));
        EXPECT_EQ(closed.destination, socket(kTwo));
        ASSERT_TRUE(closed.end);
        EXPECT_EQ(closed.end->tx_packets, 2U);
        EXPECT_EQ(closed.end->tx_bytes, 100U);
        EXPECT_EQ(closed.end->rx_packets, 4U);
        EXPECT_EQ(closed.end->rx_bytes, 2000U);
        ASSERT_FALSE(closed.paths.empty());
        EXPECT_EQ(closed.paths.back().destination.ip, network.clients.at(number == 1 ? 2 : 1).address);
    }
}

TEST_F(DeviceRecords, OfOnePoolInBothDirectionsAreToldApart) {
    network.put_pool(10, {1, 2}, {1, 2});
    datagram(1, "100.64.0.1:1000", "100.64.0.2:53");
    datagram(2, "100.64.0.2:2000", "100.64.0.1:53");

    for (const auto number : kEnds) {
        EXPECT_EQ(count(number, FlowRole::kInitiator), 1U) << int{number};
        EXPECT_EQ(count(number, FlowRole::kResponder), 1U) << int{number};
    }
}

TEST_F(DeviceRecords, AreOfPoolsThatWantThem) {
    network.put_pool(11, {1}, {2}, {udp(53, 53)});
    network.put_pool(10, {1}, {2}, {udp(54, 54)});
    datagram(1, "100.64.0.1:1000", "100.64.0.2:53");
    EXPECT_TRUE(records(1).empty());
    EXPECT_TRUE(records(2).empty());

    datagram(1, "100.64.0.1:1000", "100.64.0.2:54");
    datagram(1, "100.64.0.1:1001", "100.64.0.2:53");
    for (const auto number : kEnds) {
        ASSERT_EQ(records(number).size(), 1U) << int{number};
        EXPECT_EQ(records(number)[0].destination, socket("100.64.0.2:54"));
    }
}

TEST_F(DeviceRecords, EndWithTheAccess) {
    network.put_pool(10, {1}, {2});
    connect();
    network.remove_pool(10);
    network.to_client(2, portal_api::RejectAccess{id<ClientId>(1), id<ResourceId>(10)});
    network.run_for(1s);
    for (const auto number : kEnds) {
        ASSERT_EQ(records(number).size(), 2U) << int{number};
        EXPECT_TRUE(records(number).back().end);
    }
    segment(1, packet::kTcpAck, 100);
    segment(2, packet::kTcpAck, 100);
    network.run_for(1s);
    EXPECT_EQ(records(1).size() + records(2).size(), 4U);
}

TEST_F(DeviceRecords, OutliveTheConnectionAtTheDeviceAlone) {
    network.put_pool(10, {1}, {2});
    connect();
    network.reset(1);
    network.run_for(1s);
    ASSERT_EQ(records(1).size(), 2U);
    EXPECT_TRUE(records(1).back().end) << "it has to ask again";
    EXPECT_EQ(records(2).size(), 1U) << "the grant goes on";
}

TEST_F(DeviceRecords, AreToldAtTheEndOfTheProgram) {
    network.put_pool(10, {1}, {2});
    connect();
    network.shut_down(2);
    ASSERT_EQ(records(2).size(), 2U);
    EXPECT_TRUE(records(2).back().end);
}

}  // namespace
}  // namespace culvert::tunnel::test
