#include "culvert/flow_upload/clock_history.h"

#include <gtest/gtest.h>

namespace culvert::flow_upload {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{100s};
constexpr WallTime kWall{1'787'393'702s};

TEST(ClockHistory, KeepsWhatItSaidOfAMoment) {
    ClockHistory clock;
    clock.note(kBegin, kWall);
    EXPECT_EQ(clock.civil(kBegin + 1500ms + 7ns), kWall + 1500ms);
    EXPECT_EQ(clock.civil(kBegin - 10s), kWall - 10s);

    clock.note(kBegin + 60s, kWall + 61s);
    EXPECT_EQ(clock.civil(kBegin + 60s), kWall + 60s) << "drifts a little";

    clock.note(kBegin + 120s, kWall + 8h);
    EXPECT_EQ(clock.civil(kBegin + 1500ms), kWall + 1500ms) << "before the machine slept";
    EXPECT_EQ(clock.civil(kBegin + 119s), kWall + 119s);
    EXPECT_EQ(clock.civil(kBegin + 121s), kWall + 8h + 1s);

    clock.note(kBegin + 130s, kWall + 130s);
    EXPECT_EQ(clock.civil(kBegin + 125s), kWall + 8h + 5s);
    EXPECT_EQ(clock.civil(kBegin + 131s), kWall + 131s) << "set back";
}

TEST(ClockHistory, ForgetsWhatIsLongGone) {
    ClockHistory clock;
    for (int i = 0; i < 1000; ++i) {
        clock.note(kBegin + i * 10s, kWall + i * 1h);
    }
    EXPECT_EQ(clock.civil(kBegin + 9990s), kWall + 999h);
    EXPECT_EQ(clock.civil(kBegin + 9985s), kWall + 998h + 5s);
}

}  // namespace
}  // namespace culvert::flow_upload
