#include "culvert/tcp/receiver.h"

#include <gtest/gtest.h>

namespace culvert::tcp {
namespace {

constexpr Sequence kSyn{0xffff'fffe};  // numbers wrap soon
constexpr std::size_t kSegmentSize = 1240;

class ReceiverTest : public ::testing::Test {
protected:
    void SetUp() override {
        receiver.start(kSyn);
        receiver.offer_all();
    }

    [[nodiscard]] static Segment segment(Sequence at, ByteSpan payload) {
        return {.sequence = at, .flags = packet::kTcpAck, .payload = payload};
    }

    Receiver receiver;
    Sequence first = kSyn + 1;
};

TEST_F(ReceiverTest, TakesWhatIsNewOfASegmentThatItHasInPart) {
    receiver.take(segment(first, as_bytes("abc")));

    const auto taken = receiver.take(segment(first + 1, as_bytes("bcdef")));

    EXPECT_EQ(taken.bytes, 3U);
    EXPECT_FALSE(taken.is_cut);
    EXPECT_EQ(to_bytes(receiver.readable()), to_bytes(as_bytes("abcdef")));
    EXPECT_EQ(receiver.expected(), first + 6);
}

TEST_F(ReceiverTest, TakesNoMoreThanItOffered) {
    const Bytes much(kReceiveBuffer + 1);

    const auto taken = receiver.take(segment(first, much));

    EXPECT_EQ(taken.bytes, kReceiveBuffer);
    EXPECT_TRUE(taken.is_cut);
    EXPECT_EQ(receiver.window(), 0U);
}

TEST_F(ReceiverTest, FindsAcceptableWhatIsNextOrTouchesTheWindow) {
    const Bytes byte(1);

    EXPECT_TRUE(receiver.is_acceptable(segment(first, {})));
    EXPECT_TRUE(receiver.is_acceptable(segment(first + kReceiveBuffer - 1, byte)));
    EXPECT_FALSE(receiver.is_acceptable(segment(first + kReceiveBuffer, byte)));
    EXPECT_FALSE(receiver.is_acceptable(segment(first - 1, byte)));
    EXPECT_TRUE(receiver.is_acceptable(segment(first - 1, Bytes(2))));
}

TEST_F(ReceiverTest, OffersMoreOnlyWhenItIsWorthASegment) {
    receiver.take(segment(first, Bytes(kReceiveBuffer)));

    receiver.consume(kSegmentSize - 1);
    EXPECT_FALSE(receiver.has_more_room(kSegmentSize));
    EXPECT_EQ(receiver.offer(kSegmentSize), 0U);

    receiver.consume(1);
    EXPECT_TRUE(receiver.has_more_room(kSegmentSize));
    EXPECT_EQ(receiver.offer(kSegmentSize), kSegmentSize);
}

}  // namespace
}  // namespace culvert::tcp
