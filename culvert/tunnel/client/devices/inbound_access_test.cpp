#include "culvert/tunnel/client/devices/inbound_access.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace test;

const ClientId kAlice = id<ClientId>(1);
const ClientId kBob = id<ClientId>(2);
const ResourceId kPool = id<ResourceId>(10);
const ResourceId kOther = id<ResourceId>(11);
constexpr UnixSeconds kLater{std::chrono::seconds{1000}};
constexpr Service kSsh{Service::Protocol::kTcp, 22};
constexpr Service kWeb{Service::Protocol::kTcp, 80};

bool permits(const InboundAccess& access, const ClientId& client, const Service& service) {
    return !access.check(client, service);
}

TEST(InboundAccess, IsNothingWithoutAGrant) {
    InboundAccess access;
    EXPECT_TRUE(access.empty());
    EXPECT_EQ(access.check(kAlice, kSsh), Refusal::kNoFilter);

    access.allow(kBob, {kPool, {}}, {});
    EXPECT_FALSE(permits(access, kAlice, kSsh)) << "another's grant";
    EXPECT_TRUE(permits(access, kBob, kSsh)) << "no filters: everything";
}

TEST(InboundAccess, IsWhatAnyPoolPermits) {
    InboundAccess access;
    access.allow(kAlice, {kPool, {tcp(22, 22)}}, {});
    EXPECT_FALSE(permits(access, kAlice, kWeb));

    access.allow(kAlice, {kOther, {tcp(80, 80)}}, {});
    EXPECT_TRUE(permits(access, kAlice, kWeb));
    EXPECT_TRUE(permits(access, kAlice, kSsh));

    EXPECT_TRUE(access.revoke(kAlice, kPool));
    EXPECT_FALSE(access.revoke(kAlice, kPool));
    EXPECT_FALSE(permits(access, kAlice, kSsh));
    EXPECT_TRUE(permits(access, kAlice, kWeb));
}

TEST(InboundAccess, IsReplacedWhenThePoolIsGrantedAgain) {
    InboundAccess access;
    access.allow(kAlice, {kPool, {}}, kLater);
    access.allow(kAlice, {kPool, {tcp(22, 22)}}, {});

    EXPECT_FALSE(permits(access, kAlice, kWeb));
    EXPECT_TRUE(access.revoke_expired(kLater).empty()) << "never expires now";
}

TEST(InboundAccess, EndsWhenItExpires) {
    InboundAccess access;
    access.allow(kAlice, {kPool, {tcp(22, 22)}}, kLater);
    access.allow(kAlice, {kOther, {tcp(80, 80)}}, kLater + std::chrono::seconds{1});

    EXPECT_TRUE(access.revoke_expired(kLater - std::chrono::seconds{1}).empty());
    EXPECT_EQ(access.revoke_expired(kLater), (std::vector<InboundAccess::Grant>{{kAlice, kPool}}));
    EXPECT_FALSE(permits(access, kAlice, kSsh));
    EXPECT_TRUE(permits(access, kAlice, kWeb));
    EXPECT_EQ(access.revoke_expired(kLater + std::chrono::seconds{1}).size(), 1U);
    EXPECT_FALSE(access.has_any(kAlice));
}

TEST(InboundAccess, OfWhatIsNotListedIsOver) {
    InboundAccess access;
    access.allow(kAlice, {kPool, {}}, {});
    access.allow(kAlice, {kOther, {}}, {});
    access.allow(kBob, {kPool, {}}, {});

    const auto revoked = access.retain(std::vector<portal_api::Authorization>{{kAlice, kOther, kLater}});

    EXPECT_EQ(revoked, (std::vector<InboundAccess::Grant>{{kAlice, kPool}, {kBob, kPool}}));
    EXPECT_FALSE(access.has_any(kBob));
    EXPECT_EQ(access.revoke_expired(kLater).size(), 1U) << "the list says until when";
}

TEST(InboundAccess, TakesNewFiltersForAllWhoHaveThePool) {
    InboundAccess access;
    access.allow(kAlice, {kPool, {}}, {});
    access.allow(kBob, {kOther, {}}, {});

    EXPECT_TRUE(access.update_filters({kPool, {tcp(22, 22)}}));
    EXPECT_FALSE(access.update_filters({id<ResourceId>(12), {}}));

    EXPECT_FALSE(permits(access, kAlice, kWeb));
    EXPECT_TRUE(permits(access, kBob, kWeb));
    EXPECT_TRUE(access.revoke_all(kAlice));
    EXPECT_FALSE(permits(access, kAlice, kSsh));
}

}  // namespace
}  // namespace culvert::tunnel
