#include "culvert/connectivity/seeds.h"

#include <gtest/gtest.h>

#include "culvert/connectivity/node.h"

namespace culvert::connectivity {
namespace {

constexpr Instant kNow{std::chrono::hours{1}};

TEST(Seeds, GiveTheShardsOfADeviceOneKeyPairAlsoAfterAReset) {
    const auto rng = Rng::from_number(1);
    Node first{Role::kClient, Seeds::of_shard(rng, 0), kNow, WallTime{}};
    Node second{Role::kClient, Seeds::of_shard(rng, 1), kNow, WallTime{}};
    const auto before = first.public_key();
    EXPECT_EQ(second.public_key(), before);

    first.reset(kNow);
    second.reset(kNow);

    EXPECT_EQ(first.public_key(), second.public_key());
    EXPECT_NE(first.public_key(), before);
}

TEST(Seeds, LetShardsDrawNothingElseAlike) {
    const auto rng = Rng::from_number(1);
    auto first = Seeds::of_shard(rng, 0).own;
    auto second = Seeds::of_shard(rng, 1).own;

    EXPECT_NE(first.next_u64(), second.next_u64());
}

}  // namespace
}  // namespace culvert::connectivity
