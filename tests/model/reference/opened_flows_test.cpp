#include "tests/model/reference/opened_flows.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"

namespace culvert::model {
namespace {

constexpr ClientNo kClient{1};
const auto kHere = *net::SocketAddress::parse("100.64.0.1:5000");
const auto kThere = *net::SocketAddress::parse("10.0.0.5:80");

class OpenedFlowsTest : public ::testing::Test {
protected:
    void submit(const Bytes& packet) { flows.handle(PacketSubmitted{kClient, packet}); }
    bool is_answer(const Bytes& packet, ClientNo client = kClient) {
        return flows.is_answer(client, *read_packet(packet));
    }
    bool is_about_one(const Bytes& quoted) {
        const auto error = packet::make_icmp(kThere.ip, kHere.ip, 3, 1, 0, quoted);
        return flows.is_about_one(kClient, *read_packet(error));
    }

    OpenedFlows flows;
};

TEST_F(OpenedFlowsTest, KnowAnswersByBothEnds) {
    const auto reply = packet::make_udp(kThere, kHere, {});
    EXPECT_FALSE(is_answer(reply));
    submit(packet::make_udp(kHere, kThere, {}));
    EXPECT_TRUE(is_answer(reply));
    EXPECT_FALSE(is_answer(reply, ClientNo{2}));
    EXPECT_FALSE(is_answer(packet::make_udp(kThere, {kHere.ip, 5001}, {})));
    EXPECT_FALSE(is_answer(packet::make_tcp(kThere, kHere, {}, {})));
}

TEST_F(OpenedFlowsTest, TakeNoRequestForAnAnswer) {
    submit(packet::make_tcp(kHere, kThere, {.flags = packet::kTcpSyn}, {}));
    submit(packet::make_icmp_echo_request(kHere.ip, kThere.ip, 7, 1, {}));
    EXPECT_TRUE(is_answer(packet::make_tcp(kThere, kHere, {.flags = packet::kTcpSyn | packet::kTcpAck}, {})));
    EXPECT_TRUE(is_answer(packet::make_tcp(kThere, kHere, {.flags = packet::kTcpSyn}, {}))) << "both open at once";
    submit(packet::make_tcp(kHere, kThere, {.flags = packet::kTcpAck}, {}));
    EXPECT_FALSE(is_answer(packet::make_tcp(kThere, kHere, {.flags = packet::kTcpSyn}, {})));
    EXPECT_TRUE(is_answer(packet::make_icmp_echo_reply(kThere.ip, kHere.ip, 7, 2, {})));
    EXPECT_FALSE(is_answer(packet::make_icmp_echo_request(kThere.ip, kHere.ip, 7, 1, {})));
}

TEST_F(OpenedFlowsTest, KnowErrorsByWhatTheyQuote) {
    submit(packet::make_udp(kHere, kThere, {}));
    submit(packet::make_icmp_echo_request(kHere.ip, kThere.ip, 7, 1, {}));
    EXPECT_TRUE(is_about_one(packet::make_udp(kHere, kThere, {})));
    EXPECT_TRUE(is_about_one(packet::make_icmp_echo_request(kHere.ip, kThere.ip, 7, 3, {})));
    EXPECT_FALSE(is_about_one(packet::make_udp(kHere, {kThere.ip, 81}, {})));
    EXPECT_FALSE(is_about_one(packet::make_icmp_echo_reply(kHere.ip, kThere.ip, 7, 1, {})));
}

}  // namespace
}  // namespace culvert::model
