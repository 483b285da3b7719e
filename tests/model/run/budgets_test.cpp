#include "tests/model/run/budgets.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

/// A run in which `with` of `cases` cases used the tolerance, each of them twice.
ToleranceCount run_of(std::string_view tolerance, std::uint64_t with, std::uint64_t cases) {
    ToleranceCount count;
    for (std::uint64_t i = 0; i < cases; ++i) {
        Verdict verdict;
        if (i < with) {
            verdict.tolerate(tolerance);
            verdict.tolerate(tolerance);
        }
        count.add(verdict);
    }
    return count;
}

/// Everything that may tolerate something, as one text.
std::string read_judges() {
    std::string text;
    for (const auto* folder : {"observer", "reference", "wire", "world"}) {
        for (const auto& entry :
             std::filesystem::directory_iterator{std::filesystem::path{CULVERT_MODEL_SOURCES} / folder}) {
            const auto name = entry.path().filename().string();
            if (!name.ends_with("_test.cpp")) {
                std::ifstream file{entry.path()};
                text.append(std::istreambuf_iterator<char>{file}, {});
            }
        }
    }
    return text;
}

TEST(Budgets, CountCasesAndNotUses) {
    const auto count = run_of("link impaired", 3, 10);

    EXPECT_EQ(count.cases(), 10U);
    EXPECT_EQ(count.cases_with().at("link impaired"), 3U);
}

TEST(Budgets, PermitWhatIsMeasuredAndALittleChance) {
    const auto& budget = budgets().front();
    const auto limit = static_cast<std::uint64_t>(budget.cases_per_thousand * 4);

    EXPECT_TRUE(find_overdrafts(run_of(budget.tolerance, limit, 4000)).empty());
    EXPECT_EQ(find_overdrafts(run_of(budget.tolerance, limit + 5 * 64 + 5, 4000)).size(), 1U);
}

TEST(Budgets, DoNotFailAShortRunByChance) {
    for (const auto& budget : budgets()) {
        EXPECT_TRUE(find_overdrafts(run_of(budget.tolerance, 1, 1)).empty()) << budget.tolerance;
    }
}

TEST(Budgets, RefuseAToleranceThatIsNotInTheTable) {
    EXPECT_EQ(find_overdrafts(run_of("whatever", 1, 1)).size(), 1U);
}

TEST(Budgets, AreInOrderAndUnique) {
    EXPECT_EQ(std::ranges::adjacent_find(budgets(), std::ranges::greater_equal{}, &Budget::tolerance), budgets().end());
}

TEST(Budgets, ExistForEverythingThatIsToleratedByName) {
    const auto judges = read_judges();
    constexpr std::string_view kCall = "tolerate(\"";
    std::size_t calls = 0;
    for (auto at = judges.find(kCall); at != std::string::npos; at = judges.find(kCall, at)) {
        at += kCall.size();
        const auto name = judges.substr(at, judges.find('"', at) - at);
        EXPECT_EQ(std::ranges::count(budgets(), name, &Budget::tolerance), 1) << name;
        ++calls;
    }

    EXPECT_GT(calls, 30U);
}

TEST(Budgets, NameOnlyWhatSomeJudgeTolerates) {
    const auto judges = read_judges();
    ASSERT_FALSE(judges.empty());

    for (const auto& budget : budgets()) {
        EXPECT_NE(judges.find('"' + std::string{budget.tolerance} + '"'), std::string::npos)
            << budget.tolerance << " is budgeted, but nobody tolerates it";
    }
}

}  // namespace
}  // namespace culvert::model
