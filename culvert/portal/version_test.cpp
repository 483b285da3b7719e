#include "culvert/portal/version.h"

#include <gtest/gtest.h>

namespace culvert::portal {
namespace {

TEST(Version, ReadsSemanticVersions) {
    EXPECT_EQ(Version::parse("1.5.9"), (Version{1, 5, 9}));
    EXPECT_EQ(Version::parse("0.0.0"), (Version{0, 0, 0}));
    EXPECT_EQ(Version::parse("1.4.18-rc.1+build.7"), (Version{1, 4, 18}));
    EXPECT_EQ(Version::parse("1.4.18+a-b"), (Version{1, 4, 18}));
}

TEST(Version, RefusesWhatIsNotSemantic) {
    for (const auto* text : {"", "1", "1.2", "1.2.", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3+", "v1.2.3", "1.2.3-a..b",
                             " 1.2.3", "1.2.3 ", "-1.2.3", "99999999999.1.1", "1.2.x"}) {
        EXPECT_FALSE(Version::parse(text)) << text;
    }
}

TEST(Version, GatewaysOneMinorAroundTheClientAreCompatible) {
    const Version client{1, 5, 9};

    EXPECT_FALSE(are_compatible(client, {1, 3, 99}));
    EXPECT_TRUE(are_compatible(client, {1, 4, 0}));
    EXPECT_TRUE(are_compatible(client, {1, 4, 18}));
    EXPECT_TRUE(are_compatible(client, {1, 6, 99}));
    EXPECT_FALSE(are_compatible(client, {1, 7, 0}));
    EXPECT_FALSE(are_compatible(client, {2, 5, 0}));
}

TEST(Version, AClientOfAFirstMinorVersionTakesItsOwnAndTheNext) {
    EXPECT_TRUE(are_compatible({2, 0, 3}, {2, 0, 0}));
    EXPECT_TRUE(are_compatible({2, 0, 3}, {2, 1, 7}));
    EXPECT_FALSE(are_compatible({2, 0, 3}, {1, 99, 0}));
}

TEST(UserAgent, NamesSystemAndVersion) {
    const auto agent = UserAgent::parse("Ubuntu/24.4.0 headless-client/1.5.5 (x86_64; 6.8.0-49-generic)");

    ASSERT_TRUE(agent);
    EXPECT_EQ(agent->os_name, "Ubuntu");
    EXPECT_EQ(agent->os_version, "24.4.0");
    EXPECT_EQ(agent->version, "1.5.5");
}

TEST(UserAgent, MayHaveSpacesInTheSystemName) {
    const auto agent = UserAgent::parse("Mac OS/15.1.1 apple-client/1.5.10 (arm64; 24.1.0)");

    ASSERT_TRUE(agent);
    EXPECT_EQ(agent->os_name, "Mac OS");
    EXPECT_EQ(agent->os_version, "15.1.1");
    EXPECT_EQ(agent->version, "1.5.10");
}

TEST(UserAgent, WithoutAKnownComponentIsRefused) {
    EXPECT_FALSE(UserAgent::parse("Mozilla/5.0 (X11; Linux x86_64)"));
    EXPECT_FALSE(UserAgent::parse(""));
    EXPECT_FALSE(UserAgent::parse("gateway"));
}

TEST(ClientComponent, FollowsSystemThenKindOfActor) {
    EXPECT_EQ(client_component("Mac OS/15 apple-client/1.5.10", true), ClientComponent::kApple);
    EXPECT_EQ(client_component("iOS/18 apple-client/1.5.10", false), ClientComponent::kApple);
    EXPECT_EQ(client_component("Android/14 android-client/1.5.7", false), ClientComponent::kAndroid);
    EXPECT_EQ(client_component("Ubuntu/24 headless-client/1.5.5", true), ClientComponent::kHeadless);
    EXPECT_EQ(client_component("Windows/11 gui-client/1.5.9", false), ClientComponent::kGui);
    EXPECT_EQ(client_component("Mac OS/15 headless-client/1.5.12", false), ClientComponent::kHeadless);
    EXPECT_EQ(client_component("Ubuntu/24 gui-client/1.5.17", true), ClientComponent::kGui) << "whose token it is";
    EXPECT_EQ(client_component("macOS/15 connlib/1.5.1", false), ClientComponent::kApple);
    EXPECT_EQ(client_component("Android/14 connlib/1.5.1", false), ClientComponent::kAndroid);
    EXPECT_EQ(client_component("Debian/12 connlib/1.5.1", true), ClientComponent::kHeadless);
}

TEST(ClientComponent, KnowsDevicePoolsFromItsVersionOn) {
    EXPECT_FALSE(knows_device_pools(ClientComponent::kHeadless, {1, 5, 8}));
    EXPECT_TRUE(knows_device_pools(ClientComponent::kHeadless, {1, 5, 9}));
    EXPECT_FALSE(knows_device_pools(ClientComponent::kGui, {1, 5, 12}));
    EXPECT_TRUE(knows_device_pools(ClientComponent::kApple, {1, 5, 16}));
    EXPECT_TRUE(knows_device_pools(ClientComponent::kAndroid, {1, 5, 11}));
    EXPECT_FALSE(can_be_device(ClientComponent::kHeadless, {1, 5, 6}));
    EXPECT_TRUE(can_be_device(ClientComponent::kHeadless, {1, 5, 7}));
    EXPECT_FALSE(can_be_device(ClientComponent::kApple, {1, 5, 13}));
    EXPECT_TRUE(are_of_one_generation({1, 5, 7}, {1, 5, 12}));
    EXPECT_FALSE(are_of_one_generation({1, 5, 12}, {1, 6, 12}));
}

TEST(ClientComponent, HandlesSiteChangesFromItsVersionOn) {
    EXPECT_FALSE(handles_site_changes(ClientComponent::kGui, {1, 5, 8}));
    EXPECT_TRUE(handles_site_changes(ClientComponent::kGui, {1, 5, 9}));
    EXPECT_FALSE(handles_site_changes(ClientComponent::kHeadless, {1, 5, 4}));
    EXPECT_TRUE(handles_site_changes(ClientComponent::kHeadless, {1, 5, 5}));
}

}  // namespace
}  // namespace culvert::portal
