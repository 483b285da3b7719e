#include "culvert/io/mailbox.h"

#include <poll.h>

#include <thread>

#include <gtest/gtest.h>

namespace culvert::io {
namespace {

bool is_readable(int fd) {
    pollfd polled{fd, POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
}

TEST(Mailbox, HandsOverInOrderAndSignals) {
    Mailbox<int> mailbox{8};
    EXPECT_FALSE(is_readable(mailbox.fd()));
    EXPECT_TRUE(mailbox.take().empty());

    EXPECT_TRUE(mailbox.post(1));
    EXPECT_TRUE(mailbox.post(2));

    EXPECT_TRUE(is_readable(mailbox.fd()));
    EXPECT_EQ(mailbox.take(), (std::vector<int>{1, 2}));
    EXPECT_FALSE(is_readable(mailbox.fd()));
}

TEST(Mailbox, RefusesBeyondItsCapacity) {
    Mailbox<int> mailbox{1};
    EXPECT_TRUE(mailbox.post(1));
    EXPECT_FALSE(mailbox.post(2));
    EXPECT_EQ(mailbox.take(), (std::vector<int>{1}));
    EXPECT_TRUE(mailbox.post(3));
}

TEST(Mailbox, FindsRoomForWhatMustNotGetLost) {
    Mailbox<int> mailbox{1};
    EXPECT_TRUE(mailbox.post(1));
    mailbox.post_always(2);
    EXPECT_EQ(mailbox.take(), (std::vector<int>{1, 2}));
    EXPECT_TRUE(mailbox.take().empty());
    mailbox.post_always(3);
    EXPECT_TRUE(is_readable(mailbox.fd()));
}

TEST(Mailbox, SaysWhetherThereIsRoom) {
    Mailbox<int> mailbox{1};
    EXPECT_TRUE(mailbox.has_room());
    EXPECT_TRUE(mailbox.post(1));
    EXPECT_FALSE(mailbox.has_room());
    EXPECT_EQ(mailbox.take().size(), 1U);
    EXPECT_TRUE(mailbox.has_room());
}

TEST(Mailbox, WakesItsReaderOnceWithoutAMessage) {
    Mailbox<int> mailbox{1};
    mailbox.wake();
    EXPECT_TRUE(is_readable(mailbox.fd()));
    EXPECT_TRUE(mailbox.take().empty());
    EXPECT_FALSE(is_readable(mailbox.fd()));
}

TEST(Mailbox, LosesNothingBetweenThreads) {
    constexpr int kMessages = 20'000;
    Mailbox<int> mailbox{64};
    std::thread producer{[&] {
        for (int i = 0; i < kMessages;) {
            if (mailbox.post(i)) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    }};
    int expected = 0;
    while (expected < kMessages) {
        pollfd polled{mailbox.fd(), POLLIN, 0};
        ::poll(&polled, 1, 100);
        for (const int message : mailbox.take()) {
            ASSERT_EQ(message, expected++);
        }
    }
    producer.join();
}

}  // namespace
}  // namespace culvert::io
