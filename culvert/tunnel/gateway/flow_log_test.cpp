#include "culvert/tunnel/gateway/flow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using test::id;
using test::ip;
using test::socket;

constexpr WallTime kWallStart{std::chrono::seconds{1'763'000'000}};

class FlowLogTest : public ::testing::Test {
protected:
    FlowLogTest() {
        portal_api::AuthorizeFlow message;
        message.client.id = id<ClientId>(1);
        message.client.version = "1.5.8";
        message.client.device_os_name = "Linux";
        message.subject.actor_email = "ada@example.com";
        message.resource = test::gateway_cidr(2, "10.0.0.0/24");
        flows.note_authorization(message);
        message.resource = portal_api::GatewayInternetResource{id<ResourceId>(3)};
        flows.note_authorization(message);
    }

    static packet::IpPacket parse(Bytes& bytes) { return packet::IpPacket::parse(bytes).value(); }
    packet::IpPacket sent(std::uint8_t flags) {
        bytes = packet::make_tcp(socket("100.64.0.1:5000"), socket("10.0.0.1:80"), {.flags = flags}, Bytes(10));
        return parse(bytes);
    }
    packet::IpPacket received(std::uint8_t flags) {
        bytes = packet::make_tcp(socket("10.0.0.1:80"), socket("100.64.0.1:5000"), {.flags = flags}, Bytes(100));
        return parse(bytes);
    }
    FlowLog::Handle start(std::uint8_t resource = 2) {
        return flows.start({.client = id<ClientId>(1),
                            .resource = id<ResourceId>(resource),
                            .source = socket("100.64.0.1:5000"),
                            .destination = socket("10.0.0.1:80"),
                            .domain = {},
                            .outer = outer},
                           sent(packet::kTcpSyn), now);
    }
    void pass(Duration duration) {
        for (const auto end = now + duration; now < end;) {
            now += 1s;
            flows.sweep(now, std::chrono::floor<std::chrono::seconds>(kWallStart + now.time_since_epoch()));
        }
    }
    std::string value(std::string_view key) const {
        for (const auto& field : lines.back()) {
            if (field.key == key) {
                return field.value;
            }
        }
        return "none";
    }

    std::vector<std::vector<log::TextField>> lines;
    std::vector<std::string> targets;
    log::CaptureScope capture{log::Level::kTrace, [this](log::Level level, std::string_view target, std::string_view,
                                                         const std::vector<log::TextField>& fields) {
                                  EXPECT_EQ(level, log::Level::kTrace);
                                  targets.emplace_back(target);
                                  lines.push_back(fields);
                              }};
    Instant now{};
    FlowLog flows{now, kWallStart, 4};
    FlowLog::Outer outer{socket("192.0.2.1:40000"), socket("198.51.100.1:52625")};
    Bytes bytes;
};

TEST_F(FlowLogTest, TellsWhoTalkedToWhatAndHowMuch) {
    const auto handle = start();
    now += 1500ms;
    EXPECT_TRUE(flows.note_sent(handle, outer, sent(packet::kTcpAck), now));
    flows.note_received(handle, received(packet::kTcpAck), 3, now);
    EXPECT_TRUE(lines.empty());
    flows.note_received(handle, received(packet::kTcpRst), 1, now);

    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(targets[0], "flow_logs::tcp");
    EXPECT_EQ(value("client_id"), id<ClientId>(1).to_string());
    EXPECT_EQ(value("client_version"), "1.5.8");
    EXPECT_EQ(value("device_os_name"), "Linux");
    EXPECT_EQ(value("device_serial"), "none") << "nobody knows";
    EXPECT_EQ(value("actor_email"), "ada@example.com");
    EXPECT_EQ(value("resource_id"), id<ResourceId>(2).to_string());
    EXPECT_EQ(value("resource_name"), "resource 2");
    EXPECT_EQ(value("resource_address"), "10.0.0.0/24");
    EXPECT_EQ(value("start"), "2025-11-13T02:13:20.000Z");
    EXPECT_EQ(value("end"), "2025-11-13T02:13:21.500Z");
    EXPECT_EQ(value("last_packet"), "2025-11-13T02:13:21.500Z");
    EXPECT_EQ(value("inner_src_ip"), "100.64.0.1");
    EXPECT_EQ(value("inner_src_port"), "5000");
    EXPECT_EQ(value("inner_dst_ip"), "10.0.0.1");
    EXPECT_EQ(value("inner_dst_port"), "80");
    EXPECT_EQ(value("inner_domain"), "none");
    EXPECT_EQ(value("outer_src_ip"), "192.0.2.1");
    EXPECT_EQ(value("outer_src_port"), "40000");
    EXPECT_EQ(value("outer_dst_ip"), "198.51.100.1");
    EXPECT_EQ(value("outer_dst_port"), "52625");
    EXPECT_EQ(value("tx_packets"), "2");
    EXPECT_EQ(value("tx_bytes"), "20");
    EXPECT_EQ(value("rx_packets"), "4");
    EXPECT_EQ(value("rx_bytes"), "200");
    EXPECT_EQ(flows.size(), 0U);
}

TEST_F(FlowLogTest, EndsWhenBothSidesHaveClosed) {
    const auto handle = start();
    EXPECT_TRUE(flows.note_sent(handle, outer, sent(packet::kTcpAck | packet::kTcpFin), now));
    pass(5s);
    EXPECT_TRUE(lines.empty());
    flows.note_received(handle, received(packet::kTcpAck | packet::kTcpFin), 1, now);
    now += 500ms;
    EXPECT_TRUE(flows.note_sent(handle, outer, sent(packet::kTcpAck), now));
    EXPECT_TRUE(lines.empty()) << "the last ACK belongs to it";
    pass(1s);

    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(value("end"), "2025-11-13T02:13:25.500Z");
}

TEST_F(FlowLogTest, EndsAfterTwoMinutesOfSilence) {
    const auto handle = start();
    pass(100s);
    flows.note_received(handle, received(packet::kTcpAck), 1, now);
    pass(119s);
    EXPECT_TRUE(lines.empty());
    pass(5s);

    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(value("last_packet"), "2025-11-13T02:15:00.000Z");
}

TEST_F(FlowLogTest, BeginsAnewWithAnotherWayOrConnection) {
    auto handle = start();
    EXPECT_TRUE(flows.note_sent(handle, outer, sent(packet::kTcpSyn), now)) << "sent once more";
    EXPECT_TRUE(flows.note_sent(handle, outer, sent(packet::kTcpAck), now));
    EXPECT_FALSE(flows.note_sent(handle, outer, sent(packet::kTcpSyn), now));
    EXPECT_EQ(lines.size(), 1U);
    EXPECT_FALSE(flows.note_sent(handle, outer, sent(packet::kTcpAck), now)) << "is over";

    handle = start();
    outer.remote.port = 4;
    EXPECT_FALSE(flows.note_sent(handle, outer, sent(packet::kTcpAck), now));
    EXPECT_EQ(lines.size(), 2U);
    EXPECT_EQ(value("outer_src_port"), "40000");
}

TEST_F(FlowLogTest, OfTheInternetHasTheAddressOfAll) {
    const auto handle = start(3);
    flows.note_received(handle, received(packet::kTcpRst), 1, now);

    EXPECT_EQ(value("resource_address"), "0.0.0.0/0");
}

TEST_F(FlowLogTest, IsSilentAboutWhatNobodyWasGranted) {
    EXPECT_EQ(start(9), 0U);
    flows.forget_client(id<ClientId>(1));
    EXPECT_EQ(start(), 0U);
}

TEST_F(FlowLogTest, OldHandlesAreNotThoseOfNewFlows) {
    const auto handle = start();
    flows.note_received(handle, received(packet::kTcpRst), 1, now);
    const auto next = start();
    EXPECT_NE(next, handle);
    EXPECT_FALSE(flows.note_sent(handle, outer, sent(packet::kTcpAck), now));
    flows.note_received(handle, received(packet::kTcpRst), 1, now);
    EXPECT_EQ(lines.size(), 1U);
    EXPECT_FALSE(flows.note_sent(0, outer, sent(packet::kTcpAck), now));
    EXPECT_FALSE(flows.note_sent(~0ULL, outer, sent(packet::kTcpAck), now));
}

TEST_F(FlowLogTest, MakesRoomForFurtherFlows) {
    const auto first = start();
    for (int i = 0; i < 3; ++i) {
        now += 2s;
        start();
    }
    now += 2s;
    EXPECT_TRUE(flows.note_sent(first, outer, sent(packet::kTcpAck), now)) << "is in use";
    start();

    EXPECT_EQ(flows.size(), 4U);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(value("start"), "2025-11-13T02:13:22.000Z");
    flows.finish_all(now);
    EXPECT_EQ(lines.size(), 5U);
    EXPECT_EQ(flows.size(), 0U);
}

TEST_F(FlowLogTest, FollowsTheClockOfTheHost) {
    const auto handle = start();
    now += 1s;
    flows.sweep(now, std::chrono::floor<std::chrono::seconds>(kWallStart) + 1h);
    flows.note_received(handle, received(packet::kTcpRst), 1, now);

    EXPECT_EQ(value("end"), "2025-11-13T03:13:20.000Z");
}

}  // namespace
}  // namespace culvert::tunnel
