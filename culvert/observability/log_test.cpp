#include "culvert/observability/log.h"

#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/observability/filter.h"
#include "culvert/observability/log_capture.h"
#include "culvert/observability/log_format.h"
#include "culvert/observability/log_sink.h"

namespace culvert::log {
namespace {

using testing::ElementsAre;

TEST(LevelFilter, TheLongestMatchingTargetDecides) {
    const auto filter = *LevelFilter::parse("warn, culvert::ice=debug,tunnel::gateway=trace,portal=off");
    EXPECT_EQ(filter.level_for("connectivity"), Level::kWarn);
    EXPECT_EQ(filter.level_for("ice"), Level::kDebug);
    EXPECT_EQ(filter.level_for("icecream"), Level::kWarn);
    EXPECT_EQ(filter.level_for("tunnel"), Level::kWarn);
    EXPECT_EQ(filter.level_for("tunnel::gateway"), Level::kTrace);
    EXPECT_EQ(filter.level_for("portal"), Level::kOff);
    EXPECT_EQ(filter.most_verbose(), Level::kTrace);
}

TEST(LevelFilter, ABareTargetMeansEverythingOfIt) {
    const auto filter = *LevelFilter::parse("io");
    EXPECT_EQ(filter.level_for("io"), Level::kTrace);
    EXPECT_EQ(filter.level_for("ice"), Level::kError);
}

TEST(LevelFilter, NamesTheDirectiveItCannotRead) {
    const auto filter = LevelFilter::parse("info,ice=loud");
    ASSERT_FALSE(filter);
    EXPECT_NE(filter.error().find("ice=loud"), std::string::npos);
}

TEST(Log, QuotesAndEscapesWhatCouldForgeALine) {
    const auto line = format_human(Level::kInfo, "t", "msg", {{"a", "plain"}, {"b", "two words\nERROR"}, {"c", ""}});
    EXPECT_EQ(line, " INFO t: msg a=plain b=\"two words\\u000aERROR\" c=\"\"");
}

TEST(Log, NoValueBreaksALineOrDrivesATerminal) {
    const auto value = [](std::string text) {
        return format_human(Level::kInfo, "t", "m", {{"v", std::move(text)}})
            .substr(std::string{" INFO t: m v="}.size());
    };
    EXPECT_EQ(value("a\rb"), R"("a\u000db")");
    EXPECT_EQ(value("\x1b[31m"), R"("\u001b[31m")");
    EXPECT_EQ(value("\x9b"
                    "31m"),
              R"("\ufffd31m")")
        << "C1 as a byte";
    EXPECT_EQ(value("\xc2\x9b"
                    "31m"),
              R"("\u009b31m")")
        << "C1 as UTF-8";
    EXPECT_EQ(value("\xe2\x80\xa8"), R"("\u2028")") << "line separator";
    EXPECT_EQ(value("a\xe2\x80\xae"
                    "b"),
              R"("a\u202eb")")
        << "right-to-left override";
    EXPECT_EQ(value("\xff\xfe"), R"("\ufffd\ufffd")");
    EXPECT_EQ(value("\xc0\x8a"), R"("\ufffd\ufffd")") << "a line feed in too many bytes";
    EXPECT_EQ(value("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")") << "half a surrogate pair";
    EXPECT_EQ(value("\xe2\x80"), R"("\ufffd\ufffd")") << "cut short";
    EXPECT_EQ(value("a=b"), R"("a=b")");
    EXPECT_EQ(value("\\u000a"), R"("\\u000a")") << "not to be taken for a line feed";
    EXPECT_EQ(value("M\xc3\xbcnchen-\xe6\x9d\xb1\xe4\xba\xac-\xf0\x9f\x90\x99"),
              "M\xc3\xbcnchen-\xe6\x9d\xb1\xe4\xba\xac-\xf0\x9f\x90\x99");
}

TEST(Log, ALongValueIsCut) {
    const auto line = format_human(Level::kInfo, "t", "m", {{"v", std::string(1'000'000, 'x')}});
    EXPECT_LT(line.size(), kMaxLoggedText + 100);
    EXPECT_TRUE(line.ends_with("xxx..."));
}

TEST(Log, JsonStaysJsonWhateverIsInAValue) {
    EXPECT_EQ(format_json(Level::kWarn, "t", "m", {{"v", "\xff\n\xe2\x80\xa8\""}}, ""),
              R"({"severity":"WARN","message":"m","target":"t","v":"\ufffd\u000a\u2028\""})");
}

TEST(Log, NeverActsOnATerminal) {
    const std::string name = "a\x1b[2J\xc2\x9b\xe2\x80\xae\xff\"";
    const std::vector<TextField> fields{{"name", name}};

    EXPECT_EQ(format_human(Level::kInfo, "t", "msg", fields),
              " INFO t: msg name=\"a\\u001b[2J\\u009b\\u202e\\ufffd\\\"\"");
    EXPECT_EQ(format_json(Level::kInfo, "t", "msg", fields, ""),
              R"({"severity":"INFO","message":"msg","target":"t","name":"a\u001b[2J\u009b\u202e\ufffd\""})");
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

constexpr Logger kLog{"test"};

/// Captured lines as text, in order.
struct Lines {
    std::vector<std::string> texts;

    CaptureScope::Receiver receiver() {
        return [this](Level level, std::string_view target, std::string_view message,
                      const std::vector<TextField>& fields) {
            texts.push_back(format_human(level, target, message, fields));
        };
    }
};

/// Keeps what is written to it, as a process's output would.
class RecordingSink final : public Sink {
public:
    explicit RecordingSink(std::vector<std::string>& lines) : lines_{lines} {}
    [[nodiscard]] Level most_verbose() const override { return Level::kWarn; }
    [[nodiscard]] Level level_for(std::string_view) const override { return Level::kWarn; }
    void write(Level, std::string_view, std::string_view message, const std::vector<TextField>&) const override {
        lines_.emplace_back(message);
    }

private:
    std::vector<std::string>& lines_;
};

TEST(Log, FormatsFieldsOfWantedLinesOnly) {
    Lines lines;
    const CaptureScope capture{Level::kInfo, lines.receiver()};
    int formatted = 0;

    kLog.debug("no", field("x", CountsFormatting{&formatted}));
    kLog.info("yes", field("x", CountsFormatting{&formatted}), field("n", 3), field("text", "t"));

    EXPECT_EQ(formatted, 1);
    EXPECT_THAT(lines.texts, ElementsAre(" INFO test: yes x=x n=3 text=t"));
}

TEST(Log, NothingIsEnabledUnlessSomebodyListens) {
    EXPECT_FALSE(kLog.is_enabled(Level::kError));
    {
        const CaptureScope capture{Level::kDebug, [](auto&&...) {}};
        EXPECT_TRUE(kLog.is_enabled(Level::kDebug));
        EXPECT_FALSE(kLog.is_enabled(Level::kTrace));
    }
    EXPECT_FALSE(kLog.is_enabled(Level::kError));
}

TEST(Log, TheInnermostScopeDecidesAlone) {
    Lines outer;
    Lines inner;
    const CaptureScope outer_capture{Level::kTrace, outer.receiver()};
    {
        const CaptureScope inner_capture{Level::kWarn, inner.receiver()};
        kLog.info("for nobody");
        kLog.warn("for the inner");
    }
    kLog.info("for the outer");

    EXPECT_THAT(inner.texts, ElementsAre(" WARN test: for the inner"));
    EXPECT_THAT(outer.texts, ElementsAre(" INFO test: for the outer"));
}

TEST(Log, WhatAReceiverLogsGoesToTheOuterScope) {
    Lines outer;
    const CaptureScope outer_capture{Level::kInfo, outer.receiver()};
    int received = 0;
    const CaptureScope inner_capture{Level::kInfo, [&](auto&&...) {
                                         ++received;
                                         kLog.warn("noticed");
                                     }};

    kLog.info("first");
    kLog.info("second");

    EXPECT_EQ(received, 2);
    EXPECT_THAT(outer.texts, ElementsAre(" WARN test: noticed", " WARN test: noticed"));
}

TEST(Log, AScopeCapturesItsOwnThreadOnly) {
    std::vector<std::string> output;
    install_sink(std::make_shared<const RecordingSink>(output));
    Lines captured;
    {
        const CaptureScope capture{Level::kTrace, captured.receiver()};
        std::jthread{[] {
            kLog.warn("from another thread");
            kLog.info("unwanted there");
        }}.join();
        kLog.warn("from this thread");
    }
    kLog.warn("after the scope");
    install_sink(nullptr);
    kLog.error("for nobody");

    EXPECT_THAT(output, ElementsAre("from another thread", "after the scope"));
    EXPECT_THAT(captured.texts, ElementsAre(" WARN test: from this thread"));
}

}  // namespace
}  // namespace culvert::log
