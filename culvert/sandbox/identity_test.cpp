#include "culvert/sandbox/identity.h"

#include <gtest/gtest.h>

namespace culvert::sandbox {
namespace {

constexpr ServiceAccount kNobodyHasIt{"culvert-no-such-account", 60960};

TEST(Identity, IsTheNamedAccount) {
    const auto identity = find_identity("nobody", kNobodyHasIt);

    ASSERT_TRUE(identity) << identity.error();
    EXPECT_EQ(identity->name, "nobody");
    EXPECT_NE(identity->uid, 0U);
}

TEST(Identity, IsTheServicesAccountIfNoneIsNamed) {
    const auto identity = find_identity("", {"nobody", 60960});

    ASSERT_TRUE(identity) << identity.error();
    EXPECT_EQ(identity->name, "nobody");
}

TEST(Identity, IsTheSpareIdWithoutAnAccount) {
    EXPECT_EQ(find_identity("", kNobodyHasIt), (Identity{60960, 60960, "60960"}));
}

TEST(Identity, MayBeANumber) {
    EXPECT_EQ(find_identity("60961", kNobodyHasIt), (Identity{60961, 60961, "60961"}));
}

TEST(Identity, IsNeverRoot) {
    EXPECT_FALSE(find_identity("root", kNobodyHasIt));
    EXPECT_FALSE(find_identity("0", kNobodyHasIt));
    EXPECT_FALSE(find_identity("", {"root", 60960}));
}

TEST(Identity, IsNotGuessedIfTheNameIsWrong) {
    const auto identity = find_identity("culvert-no-such-account", kNobodyHasIt);

    ASSERT_FALSE(identity);
    EXPECT_NE(identity.error().find("useradd"), std::string::npos) << identity.error();
}

TEST(Identity, IsNotTheSpareIdIfSomebodyElseHasIt) {
    const auto nobody = find_identity("nobody", kNobodyHasIt);
    ASSERT_TRUE(nobody);

    const auto identity = find_identity("", {"culvert-no-such-account", nobody->uid});

    ASSERT_FALSE(identity);
    EXPECT_NE(identity.error().find("nobody"), std::string::npos) << identity.error();
}

TEST(Identity, TheServicesDoNotShareOne) {
    EXPECT_NE(kRelayAccount.spare_id, kPortalAccount.spare_id);
    EXPECT_NE(kPortalAccount.spare_id, kGatewayAccount.spare_id);
    EXPECT_NE(kGatewayAccount.spare_id, kClientAccount.spare_id);
    EXPECT_NE(kClientAccount.spare_id, kRelayAccount.spare_id);
}

}  // namespace
}  // namespace culvert::sandbox
