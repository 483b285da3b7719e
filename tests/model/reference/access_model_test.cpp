#include "tests/model/reference/access_model.h"

#include <gtest/gtest.h>

#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{100s};
constexpr ClientNo kClient{1};
constexpr ResourceNo kResource{1};

Setup one_client_one_resource() {
    Setup setup;
    setup.groups = 2;
    setup.clients = {{.groups = {GroupNo{1}}}};
    setup.resources = {{.address = *net::IpNetwork::parse("10.0.0.0/24"), .sites = {SiteNo{1}}}};
    setup.policies = {{.group = GroupNo{1}, .resource = kResource}};
    return setup;
}

TEST(AccessModel, PermitsThroughAPolicyOfOneOfTheClientsGroups) {
    auto setup = one_client_one_resource();
    EXPECT_TRUE(AccessModel(setup, kBegin).is_shown(kClient, resource_id(kResource, 0)).holds);

    setup.policies[0].group = GroupNo{2};
    EXPECT_FALSE(AccessModel(setup, kBegin).is_shown(kClient, resource_id(kResource, 0)).holds);

    setup.policies[0] = {.group = GroupNo{1}, .resource = kResource, .is_disabled = true};
    EXPECT_FALSE(AccessModel(setup, kBegin).is_shown(kClient, resource_id(kResource, 0)).holds);
}

TEST(AccessModel, RemembersSinceWhenAStandingHolds) {
    AccessModel model{one_client_one_resource(), kBegin};
    const auto id = resource_id(kResource, 0);

    model.apply(SetPolicyDisabled{GroupNo{1}, kResource, true}, kBegin + 5s);
    model.apply(RenameSite{SiteNo{1}}, kBegin + 6s);

    EXPECT_FALSE(model.is_shown(kClient, id).holds);
    EXPECT_EQ(model.is_shown(kClient, id).since, kBegin + 5s);
    EXPECT_EQ(model.changed_at(kClient), kBegin + 5s);
    EXPECT_EQ(model.site_name(SiteNo{1}), "site1'");
}

TEST(AccessModel, ASecondPolicyKeepsAccess) {
    AccessModel model{one_client_one_resource(), kBegin};
    model.apply(CreatePolicy{GroupNo{2}, kResource}, kBegin + 1s);
    model.apply(JoinGroup{kClient, GroupNo{2}}, kBegin + 2s);

    model.apply(DeletePolicy{GroupNo{1}, kResource}, kBegin + 3s);
    EXPECT_TRUE(model.is_shown(kClient, resource_id(kResource, 0)).holds);

    model.apply(LeaveGroup{kClient, GroupNo{2}}, kBegin + 4s);
    EXPECT_FALSE(model.is_shown(kClient, resource_id(kResource, 0)).holds);
}

TEST(AccessModel, ARecreatedResourceIsANewOneWithoutPolicies) {
    AccessModel model{one_client_one_resource(), kBegin};

    model.apply(DeleteResource{kResource}, kBegin + 1s);
    EXPECT_FALSE(model.is_shown(kClient, resource_id(kResource, 0)).holds);
    model.apply(CreateResource{kResource}, kBegin + 2s);
    EXPECT_FALSE(model.is_shown(kClient, resource_id(kResource, 1)).holds);
    model.apply(CreatePolicy{GroupNo{1}, kResource}, kBegin + 3s);

    EXPECT_TRUE(model.is_shown(kClient, resource_id(kResource, 1)).holds);
    EXPECT_FALSE(model.is_shown(kClient, resource_id(kResource, 0)).holds);
}

TEST(AccessModel, TokensEndAccessByExpiryAndByDeletion) {
    auto setup = one_client_one_resource();
    setup.clients[0].token_lifetime = 30s;
    AccessModel model{setup, kBegin};
    const auto id = resource_id(kResource, 0);

    EXPECT_TRUE(model.may_reach(kClient, id, kBegin + 29s).holds);
    EXPECT_FALSE(model.may_reach(kClient, id, kBegin + 30s).holds);
    EXPECT_EQ(model.may_reach(kClient, id, kBegin + 40s).since, kBegin + 30s);

    model.apply(RevokeToken{kClient}, kBegin + 10s);
    EXPECT_FALSE(model.may_reach(kClient, id, kBegin + 11s).holds);
    EXPECT_EQ(model.may_reach(kClient, id, kBegin + 40s).since, kBegin + 10s);
}

}  // namespace
}  // namespace culvert::model
