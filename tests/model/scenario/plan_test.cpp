#include "tests/model/scenario/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// client1 (in group1) and a hostile client2, gateway1, relay1, and resource1 for group1.
Setup small_world() {
    Setup setup;
    setup.clients.resize(2);
    setup.clients[0].groups = {{1}};
    setup.clients[1].is_hostile = true;
    setup.gateways.resize(1);
    setup.relays.resize(1);
    setup.resources.push_back({*net::IpNetwork::parse("10.0.0.0/24"), {{1}}, {}});
    setup.policies.push_back({{1}, {1}});
    return setup;
}

TEST(Plan, KnowsWhoMayReachWhat) {
    Plan plan{small_world()};
    EXPECT_TRUE(plan.is_allowed({1}, {1}));
    EXPECT_FALSE(plan.is_allowed({2}, {1}));

    plan.apply(SetPolicyDisabled{{1}, {1}, true});
    EXPECT_FALSE(plan.is_allowed({1}, {1}));

    plan.apply(SetPolicyDisabled{{1}, {1}, false});
    plan.apply(JoinGroup{{2}, {1}});
    EXPECT_TRUE(plan.is_allowed({2}, {1}));

    plan.apply(LeaveGroup{{1}, {1}});
    EXPECT_FALSE(plan.is_allowed({1}, {1}));
}

TEST(Plan, ForgetsThePoliciesOfADeletedResource) {
    Plan plan{small_world()};

    plan.apply(DeleteResource{{1}});
    EXPECT_THAT(plan.resources(), IsEmpty());
    EXPECT_THAT(plan.policies(), IsEmpty());
    EXPECT_THAT(plan.deleted_resources(), ElementsAre(ResourceNo{1}));

    plan.apply(CreateResource{{1}});
    EXPECT_EQ(plan.resources().size(), 1U);
    EXPECT_EQ(plan.missing_policies().size(), 1U);
}

TEST(Plan, KnowsWhoMayHaveATunnelWithAHostileGateway) {
    auto setup = small_world();
    setup.gateways.push_back({.access = {}, .site = {1}, .is_hostile = true});
    Plan plan{setup};
    EXPECT_THAT(plan.gateways(), ElementsAre(GatewayNo{1}));
    EXPECT_THAT(plan.hostile_gateways(), ElementsAre(GatewayNo{2}));
    EXPECT_FALSE(plan.may_have_tunnel({1}, {2}));

    plan.apply(Probe{.client = {1}, .to = HostOf{{1}}});
    EXPECT_TRUE(plan.may_have_tunnel({1}, {2}));
    EXPECT_FALSE(plan.may_have_tunnel({2}, {2}));
}

TEST(Plan, OffersToStartOnlyWhatMayComeBack) {
    Plan plan{small_world()};

    plan.apply(Crash{GatewayNo{1}});
    EXPECT_THAT(plan.gateways(), IsEmpty());
    EXPECT_THAT(plan.stopped_processes(), ElementsAre(Process{GatewayNo{1}}));

    plan.apply(RevokeToken{GatewayNo{1}});
    EXPECT_THAT(plan.stopped_processes(), IsEmpty());
}

TEST(Plan, KeepsAnHonestClient) {
    const Plan plan{small_world()};

    EXPECT_THAT(plan.revocable_devices(), ElementsAre(Device{ClientNo{2}}, Device{GatewayNo{1}}, Device{RelayNo{1}}));
}

TEST(Plan, CountsFaultsUntilTheyEnd) {
    Plan plan{small_world()};

    plan.apply(BlockDirect{{1}, {1}, seconds{1}});
    plan.apply(BlockRelay{ClientNo{1}, {1}, seconds{60}});
    EXPECT_TRUE(plan.may_start_fault());
    plan.apply(Crash{GatewayNo{1}});
    EXPECT_FALSE(plan.may_start_fault());

    plan.advance_to(milliseconds{999});
    EXPECT_FALSE(plan.may_start_fault());
    plan.advance_to(milliseconds{1000});
    EXPECT_TRUE(plan.may_start_fault());
}

TEST(Plan, WakesTheSuspendedAndHealsOnSettling) {
    Plan plan{small_world()};

    plan.apply(Suspend{ClientNo{1}, seconds{10}});
    EXPECT_THAT(plan.clients(), IsEmpty());
    plan.advance_to(seconds{10});
    EXPECT_THAT(plan.clients(), ElementsAre(ClientNo{1}));

    plan.apply(Stop{PortalNo{}});
    EXPECT_FALSE(plan.is_portal_running());
    plan.apply(Settle{});
    EXPECT_TRUE(plan.is_portal_running());
}

TEST(Plan, GivesEachFlowOfAClientItsOwnPort) {
    Plan plan{small_world()};
    plan.apply(Probe{.client = {1}, .to = HostOf{{1}}, .protocol = Protocol::kUdp, .source_port = 65535});

    EXPECT_EQ(plan.unused_port({1}, Protocol::kUdp, 65535), 1);
    EXPECT_EQ(plan.unused_port({1}, Protocol::kTcp, 65535), 65535);
    EXPECT_EQ(plan.unused_port({2}, Protocol::kUdp, 65535), 65535);
}

}  // namespace
}  // namespace culvert::model
