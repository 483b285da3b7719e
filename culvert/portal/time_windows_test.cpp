#include "culvert/portal/time_windows.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/portal/time_zone.h"

namespace culvert::portal {
namespace {

using namespace std::chrono_literals;

UnixSeconds utc(int year, unsigned month, unsigned day, std::chrono::seconds time = {}) {
    return std::chrono::sys_days{std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day)} + time;
}

DayHours hours_of(const std::string& text) {
    const auto parsed = DayHours::parse(text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error());
    return parsed.value_or(DayHours{});
}
WeekHours week_of(const std::vector<std::string>& texts) {
    WeekHours week;
    for (const auto& text : texts) {
        week.push_back(hours_of(text));
    }
    return week;
}

TEST(DayHours, AreReadAsAdministratorsWriteThem) {
    const auto hours = hours_of(" M / 8-12 ,13:00:30-17:30.9 / Europe/Berlin ");
    EXPECT_EQ(hours.day, Weekday::kMonday);
    EXPECT_EQ(hours.zone, "Europe/Berlin");
    EXPECT_EQ(hours.ranges, (std::vector<DayRange>{{8h, 12h}, {13h + 30s, 17h + 30min}}));
    EXPECT_EQ(hours_of("R/true/Etc/UTC").day, Weekday::kThursday);
    EXPECT_EQ(hours_of("U/true/Etc/UTC").ranges, (std::vector<DayRange>{{0h, 24h}}));
    EXPECT_TRUE(hours_of("S//Etc/UTC").ranges.empty());
}

TEST(DayHours, AreWrittenAsTheyAreRead) {
    for (const auto* text : {"M/08:00-12:00,13:00:30-17:30/Europe/Berlin", "W//Etc/UTC", "U/true/Etc/UTC",
                             "F/22:00-23:59:59/America/Argentina/Buenos_Aires", "S/00:00-06:00/UTC"}) {
        EXPECT_EQ(hours_of(text).to_string(), text);
    }
    EXPECT_EQ(hours_of("M/00:00-23:59:59/Etc/UTC").to_string(), "M/true/Etc/UTC");
}

TEST(DayHours, RefuseWhatIsNoTime) {
    for (const auto* text : {"", "M", "M/08:00-09:00", "X/true/Etc/UTC", "m/true/Etc/UTC", "MT/true/Etc/UTC",
                             "M/08:00/Etc/UTC", "M/24-25/Etc/UTC", "M/08:60-09:00/Etc/UTC", "M/17:00-08:00/Etc/UTC",
                             "M/08:00-08:00/Etc/UTC", "M/-1-09:00/Etc/UTC", "M/08:-09:00/Etc/UTC",
                             "M/1:2:3:4-09:00/Etc/UTC", "M/8 0-9/Etc/UTC", "M/008-9/Etc/UTC", "M/True/Etc/UTC"}) {
        EXPECT_FALSE(DayHours::parse(text)) << text;
    }
    std::string many = "M/";
    for (int i = 0; i < 25; ++i) {
        many += "08:00-09:00,";
    }
    EXPECT_FALSE(DayHours::parse(many + "/Etc/UTC"));
}

TEST(TimeWindow, IsOpenFromTheFirstSecondToTheLast) {
    const auto week = week_of({"T/08:00-17:30/Etc/UTC"});
    // 2026-12-01 is a Tuesday.
    EXPECT_EQ(window_at(week, utc(2026, 12, 1, 8h - 1s)), (TimeWindow{false, utc(2026, 12, 1, 8h)}));
    EXPECT_EQ(window_at(week, utc(2026, 12, 1, 8h)), (TimeWindow{true, utc(2026, 12, 1, 17h + 30min)}));
    EXPECT_EQ(window_at(week, utc(2026, 12, 1, 17h + 30min - 1s)), (TimeWindow{true, utc(2026, 12, 1, 17h + 30min)}));
    EXPECT_EQ(window_at(week, utc(2026, 12, 1, 17h + 30min)), (TimeWindow{false, utc(2026, 12, 8, 8h)}));
}

TEST(TimeWindow, CountsInItsOwnZone) {
    const auto week = week_of({"M/08:00-17:00/Asia/Tokyo"});
    // Monday morning in Tokyo is Sunday evening in Greenwich.
    EXPECT_EQ(window_at(week, utc(2026, 11, 29, 23h)), (TimeWindow{true, utc(2026, 11, 30, 8h)}));
    EXPECT_FALSE(window_at(week, utc(2026, 11, 30, 8h)).is_open);
}

TEST(TimeWindow, FollowsDaylightSaving) {
    const auto week = week_of({"M/08:00-17:00/Europe/Berlin"});
    EXPECT_EQ(window_at(week, utc(2026, 7, 6, 6h)), (TimeWindow{true, utc(2026, 7, 6, 15h)}));
    EXPECT_FALSE(window_at(week, utc(2026, 12, 7, 6h)).is_open);
    EXPECT_EQ(window_at(week, utc(2026, 12, 7, 7h)), (TimeWindow{true, utc(2026, 12, 7, 16h)}));
}

TEST(TimeWindow, IsShortenedByAnHourThatIsSkippedAndComesTwiceIfOneIsRepeated) {
    const auto skipped = week_of({"U/01:30-02:30/Europe/Berlin"});
    // 2026-03-29: 02:00 CET is followed by 03:00 CEST, at 01:00 UTC.
    EXPECT_EQ(window_at(skipped, utc(2026, 3, 29, 30min)), (TimeWindow{true, utc(2026, 3, 29, 1h)}));
    const auto repeated = week_of({"U/01:30-02:30/Europe/Berlin"});
    // 2026-10-25: 03:00 CEST is followed by 02:00 CET, at 01:00 UTC.
    EXPECT_EQ(window_at(repeated, utc(2026, 10, 25)), (TimeWindow{true, utc(2026, 10, 25, 30min)}));
    EXPECT_EQ(window_at(repeated, utc(2026, 10, 25, 30min)), (TimeWindow{false, utc(2026, 10, 25, 1h)}));
    EXPECT_EQ(window_at(repeated, utc(2026, 10, 25, 1h)), (TimeWindow{true, utc(2026, 10, 25, 1h + 30min)}));
}

TEST(TimeWindow, RangesThatTouchAreOneAlsoAcrossMidnight) {
    EXPECT_EQ(window_at(week_of({"T/08:00-12:00,11:00-14:00,14:00-18:00/Etc/UTC"}), utc(2026, 12, 1, 9h)).changes_at,
              utc(2026, 12, 1, 18h));
    EXPECT_EQ(
        window_at(week_of({"T/22:00-23:59:59/Etc/UTC", "W/00:00-06:00/Etc/UTC"}), utc(2026, 12, 1, 23h)).changes_at,
        utc(2026, 12, 2, 6h));
    EXPECT_EQ(window_at(week_of({"T/08:00-12:00/Etc/UTC", "T/11:00-14:00/Europe/Berlin"}), utc(2026, 12, 1, 8h)),
              (TimeWindow{true, utc(2026, 12, 1, 13h)}));
}

TEST(TimeWindow, OfTheWholeWeekNeverCloses) {
    WeekHours week;
    for (const char day : std::string{"MTWRFSU"}) {
        week.push_back(hours_of(std::string{day} + "/true/Europe/Berlin"));
    }
    EXPECT_EQ(window_at(week, utc(2026, 3, 28)), (TimeWindow{true, std::nullopt}));
    week.pop_back();
    EXPECT_EQ(window_at(week, utc(2026, 12, 1)), (TimeWindow{true, utc(2026, 12, 5, 23h)}));
}

TEST(TimeWindow, OfSeveralZonesIsLookedAtAgainInGoodTime) {
    WeekHours week;
    for (const char day : std::string{"MTWRFSU"}) {
        week.push_back(hours_of(std::string{day} + "/00:00-12:00/Europe/Berlin"));
        week.push_back(
            hours_of(std::string{day} + "/12:00-23:59:59/Africa/Lagos"));  // as in Berlin, but in winter only
    }
    const auto in_winter = window_at(week, utc(2026, 1, 5));
    EXPECT_TRUE(in_winter.is_open);
    ASSERT_TRUE(in_winter.changes_at);
    EXPECT_LE(*in_winter.changes_at, utc(2026, 1, 5) + std::chrono::days{15});
    EXPECT_FALSE(window_at(week, utc(2026, 7, 6, 10h + 30min)).is_open);
}

TEST(TimeWindow, NeverOpensForNoHoursOrANameThatIsNoZone) {
    const auto now = utc(2026, 12, 1, 9h);
    EXPECT_EQ(window_at({}, now), TimeWindow{});
    EXPECT_EQ(window_at(week_of({"T//Etc/UTC"}), now), TimeWindow{});
    EXPECT_EQ(window_at(week_of({"T/true/Europe/Atlantis"}), now), TimeWindow{});
    for (const auto* name : {"", "Europe", "../Etc/UTC", "/etc/passwd", "Europe/Berlin/"}) {
        EXPECT_FALSE(TimeZone::find(name)) << name;
    }
}

/// What it takes to know the answer without being clever.
TEST(TimeWindow, AgreesWithAskingEveryMinute) {
    const auto week = week_of({"U/00:30-02:30,03:15-20:00/Europe/Berlin", "S/22:00-23:59:59/America/New_York",
                               "M/00:00-03:00/Australia/Lord_Howe", "F/true/Asia/Kathmandu"});
    const auto berlin = *TimeZone::find("Europe/Berlin");
    for (const auto start : {utc(2026, 3, 27), utc(2026, 10, 23)}) {
        auto known = window_at(week, start);
        for (auto time = start; time < start + std::chrono::days{5}; time += 1min) {
            const auto asked = window_at(week, time);
            if (time < known.changes_at) {
                ASSERT_EQ(asked, known) << berlin.to_local(time).time_since_epoch().count();
            } else {
                ASSERT_EQ(time, known.changes_at);
                ASSERT_NE(asked.is_open, known.is_open);
                known = asked;
            }
        }
    }
}

TEST(TimeWindows, RemembersUntilItChangesAndWhenTheClockIsPutBack) {
    const auto week = week_of({"T/08:00-17:30/Etc/UTC"});
    TimeWindows windows;
    EXPECT_TRUE(windows.at(week, utc(2026, 12, 1, 9h)).is_open);
    EXPECT_TRUE(windows.at(week, utc(2026, 12, 1, 17h)).is_open);
    EXPECT_FALSE(windows.at(week, utc(2026, 12, 1, 17h + 30min)).is_open);
    EXPECT_FALSE(windows.at(week, utc(2026, 12, 1, 7h)).is_open);
    EXPECT_EQ(windows.at(week, utc(2026, 12, 1, 7h)).changes_at, utc(2026, 12, 1, 8h));
    EXPECT_TRUE(windows.at(week, utc(2026, 12, 1, 9h)).is_open);
}

}  // namespace
}  // namespace culvert::portal
