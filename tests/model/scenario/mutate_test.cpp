#include "tests/model/scenario/mutate.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "tests/model/choice/choice_source.h"

namespace culvert::model {
namespace {

// Only what decides something.
Bytes random_input(Rng& rng) {
    auto bytes = ChoiceSource::random_bytes(rng, kMaxDecodedBytes);
    bytes.resize(decoded_layout(bytes).step_ends.back());
    return bytes;
}

std::size_t common_steps(const Scenario& a, const Scenario& b) {
    const auto [end, other] = std::ranges::mismatch(a.steps, b.steps);
    return static_cast<std::size_t>(end - a.steps.begin());
}

TEST(MutateSteps, KeepsTheSetupAndTheStepsBefore) {
    auto rng = Rng::from_number(1);
    std::set<std::size_t> kept;
    int changed = 0;
    for (int i = 0; i < 150; ++i) {
        const auto input = random_input(rng);
        const auto before = decode(input);
        const auto after = decode(mutate_steps(input, rng, kMaxDecodedBytes));

        ASSERT_EQ(after.setup, before.setup);
        kept.insert(common_steps(before, after));
        changed += after == before ? 0 : 1;
    }

    EXPECT_GE(kept.size(), 10U);
    EXPECT_GT(changed, 120);
}

TEST(MutateSteps, KeepsTheStepsBehindAStepThatItRepeatsOrRemoves) {
    auto rng = Rng::from_number(2);
    int same_tail = 0;
    for (int i = 0; i < 150; ++i) {
        const auto input = random_input(rng);
        const auto output = mutate_steps(input, rng, kMaxDecodedBytes);
        const auto before = decode(input);
        const auto after = decode(output);
        const auto& last = before.steps.at(before.steps.size() - 2).action;
        const bool ends_alike = std::ranges::any_of(after.steps, [&](const Step& step) { return step.action == last; });
        same_tail += output.size() != input.size() && ends_alike ? 1 : 0;
    }

    EXPECT_GT(same_tail, 15);
}

TEST(MutateSteps, AcceptsTheEmptyInput) {
    auto rng = Rng::from_number(3);
    for (int i = 0; i < 100; ++i) {
        EXPECT_LE(mutate_steps({}, rng, 8).size(), 8U);
    }
}

TEST(SpliceSteps, TakesTheSetupOfTheFirstAndTheEndOfTheSecond) {
    auto rng = Rng::from_number(4);
    int with_both = 0;
    for (int i = 0; i < 100; ++i) {
        const auto first = random_input(rng);
        const auto second = random_input(rng);
        const auto child = splice_steps(first, second, rng, 2 * kMaxDecodedBytes);

        ASSERT_EQ(decode(child).setup, decode(first).setup);
        ASSERT_EQ(child.back(), second.back());
        with_both += common_steps(decode(first), decode(child)) > 0 ? 1 : 0;
    }

    EXPECT_GT(with_both, 50);
}

TEST(SpliceSteps, KeepsToTheSizeLimit) {
    auto rng = Rng::from_number(5);
    const auto first = random_input(rng);
    const auto second = random_input(rng);

    EXPECT_LE(splice_steps(first, second, rng, 50).size(), 50U);
}

}  // namespace
}  // namespace culvert::model
