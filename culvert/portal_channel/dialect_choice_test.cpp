#include "culvert/portal_channel/dialect_choice.h"

#include <gtest/gtest.h>

#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using namespace std::chrono_literals;
using portal_api::Dialect;

constexpr Instant kStart{1h};

TEST(DialectChoice, AsksForTheNewerOneFirst) {
    DialectChoice choice{true};
    choice.start(kStart);
    EXPECT_EQ(choice.current(), Dialect::kV2);
    choice.start(kStart + 1s);
    EXPECT_EQ(choice.current(), Dialect::kV2) << "what fails otherwise says nothing about dialects";
}

TEST(DialectChoice, RemembersAPortalThatHasOnlyTheOlderOne) {
    DialectChoice choice{true};
    choice.start(kStart);
    EXPECT_TRUE(choice.handle_not_found(kStart));
    EXPECT_EQ(choice.current(), Dialect::kV1);

    choice.start(kStart + kAskNewerAgainAfter - 1ns);
    EXPECT_EQ(choice.current(), Dialect::kV1);
    choice.start(kStart + kAskNewerAgainAfter);
    EXPECT_EQ(choice.current(), Dialect::kV2) << "it may have been updated";
}

TEST(DialectChoice, AsksForBothAgainOfAPortalThatHasNeither) {
    DialectChoice choice{true};
    choice.start(kStart);
    EXPECT_TRUE(choice.handle_not_found(kStart));
    EXPECT_FALSE(choice.handle_not_found(kStart));

    choice.start(kStart + 1s);

    EXPECT_EQ(choice.current(), Dialect::kV2);
}

TEST(DialectChoice, IsNoneForRelays) {
    DialectChoice choice{false};
    choice.start(kStart);
    EXPECT_EQ(choice.current(), Dialect::kV1);
    EXPECT_FALSE(choice.handle_not_found(kStart));
    EXPECT_EQ(choice.current(), Dialect::kV1);
}

}  // namespace
}  // namespace culvert::portal_channel
