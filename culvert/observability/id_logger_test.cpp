#include "culvert/observability/id_logger.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"

namespace culvert::log {
namespace {

constexpr Logger kLog{"ice"};

std::vector<std::string> fields_of_line(const IdLogger& logger) {
    std::vector<std::string> out;
    const CaptureScope capture{Level::kDebug, [&](Level, std::string_view target, std::string_view message,
                                                  const std::vector<TextField>& fields) {
                                   EXPECT_EQ(target, "ice");
                                   EXPECT_EQ(message, "Something happened");
                                   for (const auto& each : fields) {
                                       out.push_back(std::string{each.key} + '=' + each.value);
                                   }
                               }};
    logger.trace("Something happened", field("n", 0));
    logger.debug("Something happened", field("n", 1));
    return out;
}

TEST(IdLogger, PutsTheIdBeforeTheOtherFieldsOfEachLine) {
    const auto id = *Uuid::parse("3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
    EXPECT_THAT(fields_of_line(IdLogger{kLog, {"cid", id}}),
                testing::ElementsAre("cid=3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10", "n=1"));
}

TEST(IdLogger, AddsNothingWithoutAKey) {
    EXPECT_THAT(fields_of_line(IdLogger{kLog, {}}), testing::ElementsAre("n=1"));
}

}  // namespace
}  // namespace culvert::log
