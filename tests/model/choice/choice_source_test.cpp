#include "tests/model/choice/choice_source.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

TEST(ChoiceSource, GivesTheSameDecisionsForTheSameBytes) {
    auto rng = Rng::from_number(1);
    const auto bytes = ChoiceSource::random_bytes(rng, 64);

    ChoiceSource first{bytes};
    ChoiceSource second{bytes};

    for (int i = 0; i < 30; ++i) {
        EXPECT_EQ(first.below(1000), second.below(1000));
    }
}

TEST(ChoiceSource, GivesTheLowestValueOnceTheBytesAreUsedUp) {
    ChoiceSource source{ByteSpan{}};

    EXPECT_TRUE(source.is_exhausted());
    EXPECT_EQ(source.below(7), 0U);
    EXPECT_EQ(source.between(3, 9), 3U);
    EXPECT_FALSE(source.chance(99));
    EXPECT_EQ(source.weighted(std::array<unsigned, 3>{0, 5, 1}), 1U);
}

TEST(ChoiceSource, ConsumesNothingForTheOnlyPossibility) {
    const Bytes bytes(4, std::byte{0xff});
    ChoiceSource source{bytes};

    EXPECT_EQ(source.below(1), 0U);
    EXPECT_EQ(source.used(), 0U);
}

TEST(ChoiceSource, ReadsFrontToBackSoThatAFlippedByteChangesOneDecision) {
    auto rng = Rng::from_number(2);
    auto bytes = ChoiceSource::random_bytes(rng, 16);
    const auto decide = [](const Bytes& input) {
        ChoiceSource source{input};
        std::vector<std::uint64_t> decisions;
        for (int i = 0; i < 16; ++i) {
            decisions.push_back(source.below(200));
        }
        return decisions;
    };

    const auto before = decide(bytes);
    bytes[5] ^= std::byte{1};
    const auto after = decide(bytes);

    for (std::size_t i = 0; i < 16; ++i) {
        EXPECT_EQ(before[i] == after[i], i != 5) << i;
    }
}

TEST(ChoiceSource, PicksInProportionToTheWeights) {
    auto rng = Rng::from_number(3);
    const auto bytes = ChoiceSource::random_bytes(rng, 20'000);
    ChoiceSource source{bytes};
    std::array<int, 3> counts{};

    for (int i = 0; i < 10'000; ++i) {
        ++counts.at(source.weighted(std::array<unsigned, 3>{1, 0, 3}));
    }

    EXPECT_EQ(counts[1], 0);
    EXPECT_NEAR(counts[2], 7500, 300);
}

}  // namespace
}  // namespace culvert::model
