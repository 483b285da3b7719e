#include "tests/model/world/byte_pipe.h"

#include <string>

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
constexpr Duration kLatency = 20ms;

TEST(BytePipe, DeliversFramesInOrderAfterTheLatency) {
    BytePipe pipe{kLatency};
    pipe.write_frame("one", kStart);
    pipe.write_frame("two", kStart + 1ms);

    EXPECT_EQ(pipe.poll_timeout(), kStart + kLatency);
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency - 1ns), std::nullopt);
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency), "one");
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency), std::nullopt);
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency + 1ms), "two");
    EXPECT_EQ(pipe.poll_timeout(), std::nullopt);
}

TEST(BytePipe, EndsBehindWhatWasWritten) {
    BytePipe pipe{kLatency};
    pipe.write_frame("last", kStart);
    pipe.close(kStart);
    pipe.write_frame("too late", kStart);

    EXPECT_FALSE(pipe.has_ended(kStart));
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency), "last");
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency), std::nullopt);
    EXPECT_TRUE(pipe.has_ended(kStart + kLatency));
}

TEST(BytePipe, LosesTheFrameThatACutGoesThrough) {
    BytePipe pipe{kLatency};
    pipe.cut_after(10);
    pipe.write_frame("abc", kStart);
    pipe.write_frame("defgh", kStart);

    EXPECT_EQ(pipe.poll_frame(kStart + kLatency), "abc");
    EXPECT_EQ(pipe.poll_frame(kStart + kLatency), std::nullopt);
    EXPECT_TRUE(pipe.has_ended(kStart + kLatency));
}

TEST(BytePipe, DeliversWhatWaitedOnceItResumes) {
    BytePipe pipe{kLatency};
    pipe.stall();
    pipe.write_frame("late", kStart);

    EXPECT_EQ(pipe.poll_timeout(), std::nullopt);
    EXPECT_EQ(pipe.poll_frame(kStart + 1h), std::nullopt);

    pipe.resume(kStart + 1h);

    EXPECT_EQ(pipe.poll_frame(kStart + 1h + kLatency), "late");
}

TEST(BytePipe, TakesItsTimeAtALowRate) {
    BytePipe pipe{kLatency};
    pipe.set_rate(1000);
    pipe.write_frame(std::string(996, 'x'), kStart);

    EXPECT_EQ(pipe.poll_frame(kStart + kLatency + 999ms), std::nullopt);
    EXPECT_NE(pipe.poll_frame(kStart + kLatency + 1s), std::nullopt);
}

}  // namespace
}  // namespace culvert::model
