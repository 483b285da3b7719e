#include "tests/model/scenario/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using testing::ElementsAre;
using testing::IsSupersetOf;

TEST(Features, NameTheActionAndItsKind) {
    EXPECT_THAT(features_of(Settle{}), ElementsAre("action settle"));
    EXPECT_THAT(features_of(Attack{.target = GatewayNo{1}, .spoof = Spoof::kReplay}),
                ElementsAre("action attack", "attack replay"));
}

TEST(Features, KnowEveryActionAndKind) {
    EXPECT_THAT(all_action_features(), IsSupersetOf({"action betray", "action settle"}));
    EXPECT_THAT(all_kind_features(), IsSupersetOf({"betray portal-garbage", "portal-trouble half-open", "probe tcp"}));
}

}  // namespace
}  // namespace culvert::model
