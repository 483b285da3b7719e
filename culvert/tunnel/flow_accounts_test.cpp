#include "culvert/tunnel/flow_accounts.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using packet::kTcpAck;
using packet::kTcpFin;
using packet::kTcpRst;
using packet::kTcpSyn;
using test::socket;

class FlowAccountsTest : public ::testing::Test {
protected:
    using Accounts = FlowAccounts<int>;

    Accounts::Flow& begin(int what) { return accounts.begin(what, tcp(kTcpSyn), 1, now); }
    packet::IpPacket tcp(std::uint8_t flags) {
        bytes_ = packet::make_tcp(socket("100.64.0.1:4000"), socket("10.0.0.1:80"), {.flags = flags}, {});
        return packet::IpPacket::parse(bytes_).value();
    }
    bool sent(Accounts::Flow& flow, std::uint8_t flags) { return accounts.note_sent(flow, tcp(flags), 1, now); }
    bool received(Accounts::Flow& flow, std::uint8_t flags) { return accounts.note_received(flow, tcp(flags), 1, now); }

    Instant now{1h};
    Accounts accounts{2};

private:
    Bytes bytes_;
};

TEST_F(FlowAccountsTest, AHandleLeadsToNothingOnceTheFlowIsOver) {
    const auto first = accounts.handle_of(begin(1));
    accounts.erase(*accounts.find(first));
    const auto second = accounts.handle_of(begin(2));

    EXPECT_EQ(accounts.find(0), nullptr);
    EXPECT_EQ(accounts.find(first), nullptr);
    EXPECT_EQ(accounts.find(second)->what, 2);  // in the same place
    EXPECT_EQ(accounts.size(), 1U);
}

TEST_F(FlowAccountsTest, TheOneThatWasSilentForLongestIsFirstToGo) {
    const auto first = accounts.handle_of(begin(1));
    static_cast<void>(begin(2));
    EXPECT_TRUE(accounts.is_full());
    now += kFlowTimeResolution;

    EXPECT_FALSE(sent(*accounts.find(first), kTcpAck));

    EXPECT_EQ(accounts.least_recently_used()->what, 2);
}

TEST_F(FlowAccountsTest, IsSilentAfterTwoMinutes) {
    static_cast<void>(begin(1));

    EXPECT_EQ(accounts.silent(now + kLoggedFlowIdleTime), nullptr);
    EXPECT_NE(accounts.silent(now + kLoggedFlowIdleTime + kFlowTimeResolution + 1ns), nullptr);
}

TEST_F(FlowAccountsTest, EndsWithAResetOfEitherSide) {
    auto& flow = begin(1);

    EXPECT_FALSE(sent(flow, kTcpAck));
    EXPECT_TRUE(received(flow, kTcpRst));
    EXPECT_TRUE(sent(flow, kTcpRst));
}

TEST_F(FlowAccountsTest, IsClosedOnceBothSidesAre) {
    auto& flow = begin(1);

    EXPECT_FALSE(sent(flow, kTcpFin | kTcpAck));
    EXPECT_FALSE(sent(flow, kTcpFin | kTcpAck));  // again
    EXPECT_TRUE(accounts.take_closed().empty());
    EXPECT_FALSE(received(flow, kTcpFin | kTcpAck));

    EXPECT_EQ(accounts.take_closed(), std::vector{accounts.handle_of(flow)});
    EXPECT_TRUE(accounts.take_closed().empty());
}

TEST_F(FlowAccountsTest, AreFollowedByASynThatIsNotSentAgain) {
    auto& flow = begin(1);
    EXPECT_FALSE(flow.is_followed_by(tcp(kTcpSyn)));

    EXPECT_FALSE(sent(flow, kTcpAck));

    EXPECT_TRUE(flow.is_followed_by(tcp(kTcpSyn)));
    EXPECT_FALSE(flow.is_followed_by(tcp(kTcpAck)));
}

TEST_F(FlowAccountsTest, CountsBothDirections) {
    auto& flow = begin(1);

    EXPECT_FALSE(accounts.note_received(flow, tcp(kTcpAck), 3, now + 1s));

    EXPECT_EQ(flow.sent_packets, 1U);
    EXPECT_EQ(flow.received_packets, 3U);
    EXPECT_EQ(flow.started_at, now);
    EXPECT_EQ(flow.last_packet, now + 1s);
}

}  // namespace
}  // namespace culvert::tunnel
