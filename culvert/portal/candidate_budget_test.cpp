#include "culvert/portal/candidate_budget.h"

#include <gtest/gtest.h>

#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{100s};
const Uuid kOne{{1}};
const Uuid kOther{{2}};

TEST(CandidateBudget, GrantsABurstToEachReceiver) {
    CandidateBudget budget;
    EXPECT_EQ(budget.take(kOne, 1000, kNow), 1000U);
    EXPECT_EQ(budget.take(kOne, 1000, kNow), 24U);
    EXPECT_EQ(budget.take(kOne, 1, kNow), 0U);
    EXPECT_EQ(budget.take(kOther, 10'000, kNow), kCandidateBurst);
}

TEST(CandidateBudget, RefillsOverTime) {
    CandidateBudget budget;
    EXPECT_EQ(budget.take(kOne, 2000, kNow), 1024U);
    EXPECT_EQ(budget.take(kOne, 2000, kNow + 19ms), 0U);
    EXPECT_EQ(budget.take(kOne, 2000, kNow + 20ms), 1U);
    EXPECT_EQ(budget.take(kOne, 2000, kNow + 1020ms), 50U);
    EXPECT_EQ(budget.take(kOne, 2000, kNow + 1h), 1024U);
}

TEST(CandidateBudget, ForgetsReceiversThatMayHaveEverythingAgain) {
    CandidateBudget budget;
    for (std::uint8_t second = 0; second < 200; ++second) {
        EXPECT_EQ(budget.take(Uuid{{second}}, 20, kNow + second * 1s), 20U);
    }
    EXPECT_LE(budget.size(), 64U);
}

}  // namespace
}  // namespace culvert::portal
