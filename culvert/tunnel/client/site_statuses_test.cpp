#include "culvert/tunnel/client/site_statuses.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using portal_api::Site;

constexpr Instant kNow{1h};
const auto kGateway = test::id<GatewayId>(1);
const Site kA{test::id<SiteId>(1), "a"};
const Site kB{test::id<SiteId>(2), "b"};

ResourceStatus status_of(const SiteStatuses& statuses, const std::vector<Site>& sites) {
    return statuses.of(sites);
}

TEST(SiteStatuses, MakeAResourceOnlineIfAnyOfItsSitesIs) {
    SiteStatuses statuses;
    statuses.set_site(kGateway, kA.id);
    EXPECT_EQ(status_of(statuses, {kA, kB}), ResourceStatus::kUnknown);

    EXPECT_TRUE(statuses.set_online(kGateway));

    EXPECT_EQ(status_of(statuses, {kA, kB}), ResourceStatus::kOnline);
    EXPECT_EQ(status_of(statuses, {kB}), ResourceStatus::kUnknown);
    EXPECT_TRUE(statuses.set_unknown(kGateway));
    EXPECT_EQ(status_of(statuses, {kA}), ResourceStatus::kUnknown);
}

TEST(SiteStatuses, MakeAResourceOfflineOnlyIfAllOfItsSitesAre) {
    SiteStatuses statuses;
    statuses.set_offline(std::vector{kA}, kNow);

    EXPECT_EQ(status_of(statuses, {kA}), ResourceStatus::kOffline);
    EXPECT_EQ(status_of(statuses, {kA, kB}), ResourceStatus::kUnknown);
    EXPECT_EQ(status_of(statuses, {}), ResourceStatus::kOffline);
}

TEST(SiteStatuses, AreOfflineForFiveMinutes) {
    SiteStatuses statuses;
    EXPECT_EQ(statuses.poll_timeout(), std::nullopt);
    statuses.set_offline(std::vector{kA}, kNow);
    statuses.set_offline(std::vector{kB}, kNow + 1min);

    EXPECT_EQ(statuses.poll_timeout(), kNow + 5min);
    EXPECT_FALSE(statuses.handle_timeout(kNow + 5min - 1ns));
    EXPECT_TRUE(statuses.handle_timeout(kNow + 5min));
    EXPECT_EQ(status_of(statuses, {kA}), ResourceStatus::kUnknown);
    EXPECT_EQ(status_of(statuses, {kB}), ResourceStatus::kOffline);

    statuses.set_site(kGateway, kB.id);
    EXPECT_TRUE(statuses.set_online(kGateway));
    EXPECT_FALSE(statuses.handle_timeout(kNow + 1h)) << "it is back";
    EXPECT_EQ(status_of(statuses, {kB}), ResourceStatus::kOnline);
}

TEST(SiteStatuses, IgnoreGatewaysOfUnknownSites) {
    SiteStatuses statuses;

    EXPECT_FALSE(statuses.set_online(kGateway));
    EXPECT_FALSE(statuses.set_unknown(kGateway));
}

}  // namespace
}  // namespace culvert::tunnel
