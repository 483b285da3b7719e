#include "culvert/observability/log.h"

#include <gtest/gtest.h>

#include "culvert/observability/log_setup.h"

namespace culvert::log {
namespace {

TEST(Filter, TheLongestMatchingTargetDecides) {
    const auto filter = *Filter::parse("warn, culvert::ice=debug,tunnel::gateway=trace,portal=off");
    EXPECT_EQ(filter.level_for("connectivity"), Level::kWarn);
    EXPECT_EQ(filter.level_for("ice"), Level::kDebug);
    EXPECT_EQ(filter.level_for("icecream"), Level::kWarn);
    EXPECT_EQ(filter.level_for("tunnel"), Level::kWarn);
    EXPECT_EQ(filter.level_for("tunnel::gateway"), Level::kTrace);
    EXPECT_EQ(filter.level_for("portal"), Level::kOff);
    EXPECT_EQ(filter.most_verbose(), Level::kTrace);
}

TEST(Filter, ABareTargetMeansEverythingOfIt) {
    const auto filter = *Filter::parse("io");
    EXPECT_EQ(filter.level_for("io"), Level::kTrace);
    EXPECT_EQ(filter.level_for("ice"), Level::kError);
}

TEST(Filter, NamesTheDirectiveItCannotRead) {
    const auto filter = Filter::parse("info,ice=loud");
    ASSERT_FALSE(filter);
    EXPECT_NE(filter.error().find("ice=loud"), std::string::npos);
}

TEST(Log, QuotesAndEscapesWhatCouldForgeALine) {
    const auto line = format_human(Level::kInfo, "t", "msg", {{"a", "plain"}, {"b", "two words\nERROR"}, {"c", ""}});
    EXPECT_EQ(line, " INFO t: msg a=plain b=\"two words\\u000aERROR\" c=\"\"");
}

TEST(Log, WritesOneJsonObject) {
    EXPECT_EQ(format_json(Level::kWarn, "io", "a \"b\"", {{"n", "3", true}, {"s", "x"}}, "T"),
              R"({"time":"T","severity":"WARN","message":"a \"b\"","target":"io","n":3,"s":"x"})");
}

struct CountsFormatting {
    int* count;
    [[nodiscard]] std::string to_string() const {
        ++*count;
        return "x";
    }
};

TEST(Log, FormatsFieldsOfWantedLinesOnly) {
    std::vector<std::string> lines;
    set_sink(Filter{Level::kInfo}, [&](Level, const std::string& line) { lines.push_back(line); });
    constexpr Logger kLog{"test"};
    int formatted = 0;

    kLog.debug("no", field("x", CountsFormatting{&formatted}));
    kLog.info("yes", field("x", CountsFormatting{&formatted}), field("n", 3), field("text", "t"));

    set_sink(Filter{Level::kOff}, [](Level, const std::string&) {});
    EXPECT_EQ(formatted, 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0], " INFO test: yes x=x n=3 text=t");
}

}  // namespace
}  // namespace culvert::log
