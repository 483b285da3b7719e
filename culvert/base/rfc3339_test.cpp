#include "culvert/base/rfc3339.h"

#include <gtest/gtest.h>

namespace culvert {
namespace {

using namespace std::chrono_literals;

constexpr WallMicroseconds kMoment{1'787'393'702s + 104ms};

TEST(Rfc3339, WritesUtc) {
    EXPECT_EQ(to_rfc3339(UnixSeconds{1'787'393'702s}), "2026-08-22T10:15:02Z");
    EXPECT_EQ(to_rfc3339(WallTime{kMoment.time_since_epoch() / 1ms * 1ms}), "2026-08-22T10:15:02.104Z");
    EXPECT_EQ(to_rfc3339(kMoment), "2026-08-22T10:15:02.104Z");
    EXPECT_EQ(to_rfc3339(kMoment + 7us), "2026-08-22T10:15:02.104007Z");
}

TEST(Rfc3339, ReadsWhatItWrites) {
    for (const auto offset : {0us, 1us, 999'999us, 86'400'000'000us}) {
        EXPECT_EQ(parse_rfc3339(to_rfc3339(kMoment + offset)), kMoment + offset);
    }
}

TEST(Rfc3339, ReadsOffsetsAndAnyDecimals) {
    EXPECT_EQ(parse_rfc3339("2026-08-22T10:15:02.104Z"), kMoment);
    EXPECT_EQ(parse_rfc3339("2026-08-22t10:15:02.104000999z"), kMoment);
    EXPECT_EQ(parse_rfc3339("2026-08-22T12:15:02.104+02:00"), kMoment);
    EXPECT_EQ(parse_rfc3339("2026-08-22 04:45:02.104-05:30"), kMoment);
    EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), WallMicroseconds{1'709'164'800s});
}

TEST(Rfc3339, RefusesEverythingElse) {
    for (const auto* text :
         {"", "2026", "2026-08-22", "2026-08-22T10:15:02", "2026-08-22T10:15:02.Z", "2026-08-22T10:15Z",
          "2026-13-22T10:15:02Z", "2025-02-29T10:15:02Z", "2026-08-22T24:15:02Z", "2026-08-22T10:60:02Z",
          "2026-08-22T10:15:60Z", "2026-08-22T10:15:02ZZ", "2026-08-22T10:15:02+2:00", "1969-08-22T10:15:02Z",
          "2026/08/22T10:15:02Z", "+026-08-22T10:15:02Z", "2026-08-22T10:15:02+24:00"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

}  // namespace
}  // namespace culvert
