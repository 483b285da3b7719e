#include "culvert/observability/repeat_limiter.h"

#include <gtest/gtest.h>

namespace culvert::log {
namespace {

using namespace std::chrono_literals;

class Repeats : public ::testing::Test {
protected:
    int warn(int count, std::string_view message = "again", std::string_view target = "io") {
        int written = 0;
        for (int i = 0; i < count; ++i) {
            written += limiter.admit(Level::kWarn, target, message, now) ? 1 : 0;
        }
        return written;
    }
    std::uint64_t reported() {
        std::uint64_t count = 0;
        for (const auto& repeated : limiter.take_finished(now)) {
            count += repeated.count;
        }
        return count;
    }

    static constexpr int kWarnings = static_cast<int>(RepeatLimiter::kWarnings);
    RepeatLimiter limiter;
    RepeatLimiter::Clock::time_point now{1000h};
};

TEST_F(Repeats, AFewPassAndTheRestIsCounted) {
    EXPECT_EQ(warn(1000), kWarnings);
    EXPECT_EQ(reported(), 0U) << "the window is not over";
    now += kRepeatWindow;
    EXPECT_EQ(reported(), 1000U - RepeatLimiter::kWarnings);
    EXPECT_EQ(reported(), 0U) << "once";
    EXPECT_EQ(warn(1000), kWarnings) << "a new window";
}

TEST_F(Repeats, SomethingRareIsNeverLeftOut) {
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(warn(kWarnings), kWarnings);
        now += kRepeatWindow;
        ASSERT_EQ(reported(), 0U);
    }
}

TEST_F(Repeats, KindsDoNotPayForOneAnother) {
    EXPECT_EQ(warn(100), kWarnings);
    EXPECT_EQ(warn(100, "something else"), kWarnings);
    EXPECT_EQ(warn(100, "again", "ice"), kWarnings);
    EXPECT_TRUE(limiter.admit(Level::kError, "io", "again", now));
}

TEST_F(Repeats, WhoWantsDetailsGetsThemAll) {
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_TRUE(limiter.admit(Level::kDebug, "io", "again", now));
    }
}

TEST_F(Repeats, InformationMayRepeatMoreOften) {
    unsigned written = 0;
    for (int i = 0; i < 10'000; ++i) {
        written += limiter.admit(Level::kInfo, "io", "again", now) ? 1U : 0U;
    }
    EXPECT_EQ(written, RepeatLimiter::kInfos);
}

TEST_F(Repeats, TheLastWindowIsReportedAtTheEnd) {
    EXPECT_EQ(warn(kWarnings + 3), kWarnings);
    const auto rest = limiter.take_all(now);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].count, 3U);
    EXPECT_EQ(rest[0].message, "again");
    EXPECT_EQ(rest[0].target, "io");
    EXPECT_EQ(rest[0].level, Level::kWarn);
}

TEST_F(Repeats, MemoryIsBoundedEvenIfMessagesAreNot) {
    int written = 0;
    for (int i = 0; i < 100'000; ++i) {
        written += warn(1, "message " + std::to_string(i));
    }
    EXPECT_LE(written, static_cast<int>(RepeatLimiter::kMaxKinds) + kWarnings);
    now += kRepeatWindow;
    EXPECT_EQ(reported(), 100'000U - static_cast<unsigned>(written));
    EXPECT_EQ(warn(1, "a new one"), 1) << "old kinds are forgotten";
}

}  // namespace
}  // namespace culvert::log
