#include "culvert/io/absence_watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <thread>

namespace culvert::io {
namespace {

using namespace std::chrono_literals;

bool is_readable(const AbsenceWatch& watch, std::chrono::milliseconds patience) {
    pollfd poll{.fd = watch.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, static_cast<int>(patience.count())) == 1;
}

TEST(AbsenceWatch, SaysForHowLongNobodyLooked) {
    auto watch = AbsenceWatch::open(50ms).value();
    EXPECT_EQ(watch.take(), Duration{}) << "it is not time yet";
    std::this_thread::sleep_for(400ms);
    ASSERT_TRUE(is_readable(watch, 0ms));
    EXPECT_GE(watch.take(), 349ms);
    EXPECT_FALSE(is_readable(watch, 0ms));
    EXPECT_EQ(watch.take(), Duration{});
}

TEST(AbsenceWatch, IsReadableEachTimeTheIntervalIsOver) {
    auto watch = AbsenceWatch::open(1ms).value();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(is_readable(watch, 20s)) << i;
        static_cast<void>(watch.take());
    }
}

}  // namespace
}  // namespace culvert::io
