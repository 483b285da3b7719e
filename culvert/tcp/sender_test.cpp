#include "culvert/tcp/sender.h"

#include <gtest/gtest.h>

namespace culvert::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Sequence kInitial{0xffff'fff0};  // numbers wrap soon
constexpr std::size_t kSegmentSize = 100;

class SenderTest : public ::testing::Test {
protected:
    /// The peer has answered our SYN, with so much room.
    void open(std::uint16_t window) {
        sender.note_syn(now);
        now += 10ms;
        EXPECT_FALSE(sender.acknowledge(first, now));
        hear(first, window);
    }
    void hear(Sequence acknowledgement, std::uint16_t window) {
        sender.update_window({.sequence = {}, .acknowledgement = acknowledgement, .window = window});
    }
    [[nodiscard]] std::vector<std::size_t> lengths() {
        std::vector<std::size_t> all;
        while (const auto segment = sender.next(now)) {
            all.push_back(segment->payload.size());
        }
        return all;
    }

    Instant now{};
    Sender sender{kInitial, kSegmentSize};
    Sequence first = kInitial + 1;
};

TEST_F(SenderTest, SendsSegmentsUpToTheWindow) {
    open(250);
    sender.push(Bytes(1000));

    EXPECT_EQ(lengths(), (std::vector<std::size_t>{100, 100}));  // 50 more are not worth it
    EXPECT_EQ(sender.in_flight(), 200U);
    EXPECT_TRUE(sender.has_unsent());
}

TEST_F(SenderTest, SaysWhenAllOfItHasArrived) {
    open(1000);
    sender.push(Bytes(150));
    static_cast<void>(lengths());

    EXPECT_FALSE(sender.acknowledge(first + 100, now));
    EXPECT_TRUE(sender.acknowledge(first + 150, now));
    EXPECT_EQ(sender.size(), 0U);
    EXPECT_EQ(sender.in_flight(), 0U);
}

TEST_F(SenderTest, EndsWithAFinThatIsAcknowledgedLikeAByte) {
    open(1000);
    sender.push(Bytes(50));
    sender.finish();

    const auto last = sender.next(now);

    ASSERT_TRUE(last.has_value());
    EXPECT_TRUE(last->has(packet::kTcpFin));
    EXPECT_FALSE(sender.next(now).has_value());
    sender.acknowledge(first + 50, now);
    EXPECT_FALSE(sender.is_fin_acknowledged());
    sender.acknowledge(first + 51, now);
    EXPECT_TRUE(sender.is_fin_acknowledged());
    EXPECT_FALSE(sender.has_unsent());
}

TEST_F(SenderTest, GoesBackAfterThreeDuplicatesAndStartsSlowly) {
    open(1000);
    sender.push(Bytes(500));
    static_cast<void>(lengths());
    const Segment duplicate{.sequence = {}, .acknowledgement = first, .window = 1000};

    EXPECT_FALSE(sender.count_duplicate(duplicate));
    EXPECT_FALSE(sender.count_duplicate(duplicate));
    EXPECT_TRUE(sender.count_duplicate(duplicate));

    EXPECT_EQ(lengths(), (std::vector<std::size_t>{100}));
    EXPECT_EQ(sender.highest(), first + 500);
}

TEST_F(SenderTest, FindsPlausibleOnlyWhatWasSentNotLongAgo) {
    open(1000);
    sender.push(Bytes(300));
    static_cast<void>(lengths());
    sender.acknowledge(first + 300, now);

    EXPECT_TRUE(sender.is_plausible(first + 300));
    EXPECT_FALSE(sender.is_plausible(first + 301));
    EXPECT_TRUE(sender.is_plausible(first + 300 - 1000));
    EXPECT_FALSE(sender.is_plausible(first + 299 - 1000));
}

TEST_F(SenderTest, ProbesAClosedWindowWithOneByte) {
    open(0);
    sender.push(Bytes(300));

    EXPECT_FALSE(sender.next(now).has_value());
    EXPECT_EQ(sender.probe(now).payload.size(), 1U);
    EXPECT_EQ(sender.in_flight(), 1U);
}

TEST_F(SenderTest, LearnsTheRoundTripOnlyFromWhatWasSentOnce) {
    open(1000);
    const auto before = sender.retransmission_time();
    sender.push(Bytes(100));
    static_cast<void>(lengths());
    sender.back_off();
    sender.go_back();
    static_cast<void>(lengths());
    now += 5s;

    sender.acknowledge(first + 100, now);

    EXPECT_EQ(sender.retransmission_time(), before);
}

}  // namespace
}  // namespace culvert::tcp
