#include "culvert/tunnel/gateway/shard_ids.h"

#include <gtest/gtest.h>

namespace culvert::tunnel {
namespace {

TEST(ShardIds, KnowTheirOwnAndNoOthers) {
    const ShardIds first{0};
    const ShardIds last{65'535};

    EXPECT_EQ(last.number_of(last.id_of(7)), 7U);
    EXPECT_EQ(last.number_of(first.id_of(7)), std::nullopt);
    EXPECT_EQ(first.number_of(last.id_of(7)), std::nullopt);
    EXPECT_EQ(first.id_of(7), 7U);
}

}  // namespace
}  // namespace culvert::tunnel
