#include "culvert/turn/server/user_rules.h"

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

constexpr WallTime at(int second) {
    return WallTime{std::chrono::seconds{second}};
}

TEST(UserRules, HoldUntilTheyEnd) {
    UserRules rules;
    rules.extend("a", at(100));
    rules.revoke("b", at(100));

    EXPECT_TRUE(rules.is_extended("a", at(100)));
    EXPECT_FALSE(rules.is_extended("a", at(101)));
    EXPECT_FALSE(rules.is_revoked("a", at(50)));
    EXPECT_TRUE(rules.is_revoked("b", at(100)));
    EXPECT_FALSE(rules.is_revoked("b", at(101)));
    EXPECT_FALSE(rules.is_extended("b", at(50)));
    EXPECT_FALSE(rules.is_extended("c", at(50)) || rules.is_revoked("c", at(50)));
}

TEST(UserRules, TheNewestWordCounts) {
    UserRules rules;

    rules.revoke("a", at(100));
    rules.extend("a", at(50));
    EXPECT_FALSE(rules.is_revoked("a", at(10)));
    EXPECT_TRUE(rules.is_extended("a", at(10)));

    rules.revoke("a", at(60));
    EXPECT_TRUE(rules.is_revoked("a", at(10)));
    EXPECT_FALSE(rules.is_extended("a", at(10)));

    rules.revoke("a", at(20));
    EXPECT_FALSE(rules.is_revoked("a", at(30)));
    EXPECT_EQ(rules.size(), 1U);
}

TEST(UserRules, AFullTableDropsWhatEndsFirst) {
    UserRules rules{2};
    rules.revoke("a", at(30));
    rules.revoke("b", at(20));
    rules.extend("x", at(30));
    rules.extend("y", at(20));

    rules.revoke("c", at(10));
    rules.extend("z", at(40));

    EXPECT_EQ(rules.size(), 4U);
    EXPECT_TRUE(rules.is_revoked("a", at(5)));
    EXPECT_FALSE(rules.is_revoked("b", at(5)));
    EXPECT_TRUE(rules.is_revoked("c", at(5))) << "a revocation is obeyed even if it is short";
    EXPECT_TRUE(rules.is_extended("x", at(5)));
    EXPECT_FALSE(rules.is_extended("y", at(5)));
    EXPECT_TRUE(rules.is_extended("z", at(5)));
}

TEST(UserRules, ExtensionsNeverPushOutRevocations) {
    UserRules rules{2};
    rules.revoke("a", at(1000));
    for (int i = 0; i < 10; ++i) {
        rules.extend("user " + std::to_string(i), at(2000 + i));
    }

    EXPECT_TRUE(rules.is_revoked("a", at(999)));
}

}  // namespace
}  // namespace culvert::turn
