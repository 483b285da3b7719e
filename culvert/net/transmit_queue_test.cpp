#include "culvert/net/transmit_queue.h"

#include <gtest/gtest.h>

namespace culvert::net {
namespace {

const Path kPeer{std::nullopt, *SocketAddress::parse("203.0.113.1:1")};
const Path kOther{std::nullopt, *SocketAddress::parse("203.0.113.2:1")};

std::vector<std::size_t> segment_counts(const TransmitQueue& queue) {
    std::vector<std::size_t> counts;
    for (std::size_t i = 0; i < queue.size(); ++i) {
        counts.push_back(queue.batch(i).segments);
    }
    return counts;
}

TEST(TransmitQueue, EqualSizesShareABatchAndAShorterOneClosesIt) {
    TransmitQueue queue;
    for (const std::size_t length : {100, 100, 60, 60}) {
        ASSERT_FALSE(queue.append(kPeer, Ecn::kNotEct, length).empty());
    }
    EXPECT_EQ(segment_counts(queue), (std::vector<std::size_t>{3, 1}));
    EXPECT_EQ(queue.batch(0).bytes.size(), 260U);
    EXPECT_EQ(queue.batch(0).segment_size, 100U);
}

TEST(TransmitQueue, NeverMixesPathsOrEcnAndKeepsTheOrder) {
    TransmitQueue queue;
    (void)queue.append(kPeer, Ecn::kNotEct, 100);
    (void)queue.append(kOther, Ecn::kNotEct, 100);
    (void)queue.append(kPeer, Ecn::kNotEct, 100);
    (void)queue.append(kPeer, Ecn::kEct0, 100);
    ASSERT_EQ(queue.size(), 4U);
    EXPECT_EQ(queue.batch(1).path, kOther);
    EXPECT_EQ(queue.batch(3).ecn, Ecn::kEct0);
}

TEST(TransmitQueue, ALongerDatagramStartsANewBatch) {
    TransmitQueue queue;
    (void)queue.append(kPeer, Ecn::kNotEct, 100);
    (void)queue.append(kPeer, Ecn::kNotEct, 101);
    EXPECT_EQ(queue.size(), 2U);
}

TEST(TransmitQueue, RespectsSegmentAndByteLimits) {
    TransmitQueue queue;
    for (int i = 0; i < 65; ++i) {
        (void)queue.append(kPeer, Ecn::kNotEct, 10);
    }
    EXPECT_EQ(segment_counts(queue), (std::vector<std::size_t>{64, 1}));

    queue.clear();
    for (int i = 0; i < 50; ++i) {
        (void)queue.append(kPeer, Ecn::kNotEct, 1312);
    }
    EXPECT_EQ(segment_counts(queue), (std::vector<std::size_t>{49, 1}));
    EXPECT_TRUE(queue.append(kPeer, Ecn::kNotEct, TransmitQueue::kMaxBatchBytes + 1).empty());
}

TEST(TransmitQueue, UndoRestoresWhatStoodBefore) {
    TransmitQueue queue;
    (void)queue.append(kPeer, Ecn::kNotEct, 100);
    (void)queue.append(kPeer, Ecn::kNotEct, 60);
    queue.undo_append();
    (void)queue.append(kPeer, Ecn::kNotEct, 100);
    EXPECT_EQ(segment_counts(queue), (std::vector<std::size_t>{2}));
    queue.undo_append();
    queue.undo_append();
    EXPECT_TRUE(queue.empty());
}

TEST(TransmitQueue, KeepsRoomForASuperPacketOfTheSmallestSegments) {
    TransmitQueue queue;
    while (!queue.is_full()) {
        (void)queue.append(queue.size() % 2 == 0 ? kPeer : kOther, Ecn::kNotEct, 10);
    }
    queue.pop_front(1);
    ASSERT_FALSE(queue.is_full());

    for (int i = 0; i < 65535; ++i) {
        ASSERT_FALSE(queue.append(kPeer, Ecn::kEct0, 73).empty()) << i;
    }
}

TEST(TransmitQueue, ReusesTheSameMemoryOnceItIsEmpty) {
    TransmitQueue queue;
    const auto* const first = queue.append(kPeer, Ecn::kNotEct, 100).data();
    queue.clear();
    EXPECT_EQ(queue.append(kPeer, Ecn::kNotEct, 100).data(), first);
}

TEST(TransmitQueue, SaysWhenItIsFullAndRefusesBeyond) {
    TransmitQueue queue;
    std::size_t accepted = 0;
    while (!queue.append(accepted % 2 == 0 ? kPeer : kOther, Ecn::kNotEct, 10).empty()) {
        ++accepted;
    }
    EXPECT_EQ(accepted, TransmitQueue::kMaxBatches);
    EXPECT_TRUE(queue.is_full());
    queue.pop_front(accepted - 1);
    EXPECT_FALSE(queue.is_full());
    EXPECT_EQ(queue.batch(0).path, kOther);
}

}  // namespace
}  // namespace culvert::net
