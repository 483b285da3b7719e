#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "culvert/portal/storage_fixture.h"

namespace culvert::portal {

/// What every storage must do with flows.
template <typename Factory>
class StorageFlowsContract : public StorageFixture<Factory> {};

TYPED_TEST_SUITE_P(StorageFlowsContract);

TYPED_TEST_P(StorageFlowsContract, ARevokedDevicesFlowsGo) {
    const auto flow = this->add_flow();
    EXPECT_TRUE(this->storage_->revoke(flow.client, this->at(1)));
    EXPECT_FALSE(this->has_flow(flow));
    auto again = flow;
    again.id = FlowId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(again, {})) << "and none comes back";

    EXPECT_TRUE(this->storage_->erase(flow.client));
    const auto other = this->add_flow();
    EXPECT_TRUE(this->storage_->revoke(other.gateway, this->at(1)));
    EXPECT_FALSE(this->has_flow(other));
    again = other;
    again.id = FlowId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(again, {}));
}

TYPED_TEST_P(StorageFlowsContract, FlowsGoWithTheirDevices) {
    const auto flow = this->add_flow();
    EXPECT_TRUE(this->storage_->erase(flow.client));
    EXPECT_FALSE(this->has_flow(flow));

    const auto other = this->add_flow();
    EXPECT_TRUE(this->storage_->erase(other.gateway));
    EXPECT_FALSE(this->has_flow(other));
}

TYPED_TEST_P(StorageFlowsContract, ReturnsFlowsAsTheyWereInserted) {
    const auto flow = this->add_flow();

    const auto found = this->storage_->find_flows(flow.gateway);

    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].id, flow.id);
    EXPECT_EQ(found[0].client, flow.client);
    EXPECT_EQ(found[0].resource, flow.resource);
    EXPECT_EQ(found[0].policy, flow.policy);
    EXPECT_EQ(found[0].membership, flow.membership);
    EXPECT_EQ(found[0].token, flow.token);
    EXPECT_EQ(found[0].client_remote_ip, flow.client_remote_ip);
    EXPECT_EQ(found[0].gateway_remote_ip, flow.gateway_remote_ip);
    EXPECT_EQ(found[0].expires_at, flow.expires_at);
}

TYPED_TEST_P(StorageFlowsContract, ARoamingClientLeavesOneFlowNotOnePerAddress) {
    auto flow = this->add_flow(kNever);
    for (std::uint8_t n = 0; n < 50; ++n) {
        flow.id = FlowId::random(this->rng_);
        flow.client_remote_ip = net::IpAddress{std::array<std::uint8_t, 4>{198, 51, 100, n}};
        ASSERT_TRUE(this->storage_->insert(flow, {}));
    }

    EXPECT_EQ(this->storage_->find_flows(flow.gateway), std::vector{flow});
}

TYPED_TEST_P(StorageFlowsContract, AFlowThatEndsSoonerTakesNoOthersPlace) {
    auto flow = this->add_flow(this->at(1000));
    flow.id = FlowId::random(this->rng_);
    flow.expires_at = this->at(999);
    ASSERT_TRUE(this->storage_->insert(flow, {}));

    EXPECT_EQ(this->storage_->find_flows(flow.gateway).size(), 2U);
}

TYPED_TEST_P(StorageFlowsContract, RefusesFlowsThatCiteNothing) {
    auto flow = this->add_flow();
    flow.id = FlowId::random(this->rng_);
    flow.policy = PolicyId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(flow, {}));
    EXPECT_EQ(this->storage_->find_flows(flow.gateway).size(), 1U);
}

TYPED_TEST_P(StorageFlowsContract, RefusesFlowsThatNothingGrants) {
    auto flow = this->add_flow();
    auto elsewhere = this->resource_;
    elsewhere.sites.clear();
    auto disabled = this->policy_;
    disabled.is_disabled = true;
    auto conditional = this->policy_;
    conditional.conditions = {ClientVerifiedCondition{}};
    auto of_another_group = this->membership_;
    of_another_group.group = GroupId::random(this->rng_);
    this->storage_->put(Group{of_another_group.group, "others"});
    const std::vector<std::function<void(Storage&)>> changes = {
        [&](Storage& s) { s.put(elsewhere); }, [&](Storage& s) { s.put(disabled); },
        [&](Storage& s) { s.put(conditional); }, [&](Storage& s) { s.put(of_another_group); }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        changes[i](*this->storage_);
        flow.id = FlowId::random(this->rng_);
        EXPECT_FALSE(this->storage_->insert(flow, {})) << i;
        this->storage_->put(this->resource_);
        this->storage_->put(this->policy_);
        this->storage_->put(this->membership_);
        EXPECT_TRUE(this->storage_->insert(flow, {})) << i;
    }
}

TYPED_TEST_P(StorageFlowsContract, FlowsGoWithWhatTheyCite) {
    const std::vector<std::function<void(Storage&)>> erasures = {
        [&](Storage& s) { s.erase(this->policy_.id); },   [&](Storage& s) { s.erase(this->membership_.id); },
        [&](Storage& s) { s.erase(this->resource_.id); }, [&](Storage& s) { s.erase(this->token_.id); },
        [&](Storage& s) { s.erase(this->site_.id); },     [&](Storage& s) { s.erase(this->actor_.id); },
        [&](Storage& s) { s.erase(this->group_.id); },
    };
    for (std::size_t i = 0; i < erasures.size(); ++i) {
        const auto flow = this->add_flow();
        EXPECT_TRUE(this->has_flow(flow)) << i;
        EXPECT_THROW(this->storage_->in_transaction([&] {
            erasures[i](*this->storage_);
            EXPECT_FALSE(this->has_flow(flow)) << i;
            throw std::runtime_error{"undo"};
        }),
                     std::runtime_error);
    }
}

TYPED_TEST_P(StorageFlowsContract, FlowsGoWhenTheirTermsChange) {
    auto redirected = this->resource_;
    redirected.address = "other.example";
    auto removed_from_site = this->resource_;
    removed_from_site.sites.clear();
    auto disabled = this->policy_;
    disabled.is_disabled = true;
    auto conditional = this->policy_;
    conditional.conditions = {ClientVerifiedCondition{}};
    const std::vector<std::function<void(Storage&)>> changes = {
        [&](Storage& s) { s.put(redirected); }, [&](Storage& s) { s.put(removed_from_site); },
        [&](Storage& s) { s.put(disabled); }, [&](Storage& s) { s.put(conditional); }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const auto flow = this->add_flow();
        changes[i](*this->storage_);
        EXPECT_FALSE(this->has_flow(flow)) << i;
        this->storage_->put(this->resource_);
        this->storage_->put(this->policy_);
    }
}

TYPED_TEST_P(StorageFlowsContract, FlowsStayWhenSomethingElseChanges) {
    const auto flow = this->add_flow();
    this->resource_.name = "renamed";
    this->resource_.filters.clear();
    this->storage_->put(this->resource_);
    this->storage_->put(this->policy_);
    this->site_.name = "renamed";
    this->storage_->put(this->site_);

    EXPECT_TRUE(this->has_flow(flow));
}

TYPED_TEST_P(StorageFlowsContract, ErasesFlowsToWhatIsOutOfReach) {
    const auto flow = this->add_flow();
    EXPECT_FALSE(this->storage_->erase_flows_except(flow.client, {this->policy_.id}));
    EXPECT_TRUE(this->has_flow(flow));

    EXPECT_TRUE(this->storage_->erase_flows_except(flow.client, {}));
    EXPECT_FALSE(this->has_flow(flow));
}

TYPED_TEST_P(StorageFlowsContract, TakesFlowsUnderTheConditionsThatThePolicyHas) {
    auto flow = this->add_flow();
    auto conditional = this->policy_;
    conditional.conditions = {TimeCondition{{*DayHours::parse("M/8-17/Europe/Berlin")}}, ClientVerifiedCondition{}};
    this->storage_->put(conditional);
    flow.id = FlowId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(flow, {})) << "whoever looked at it when it had none";
    EXPECT_FALSE(this->storage_->insert(flow, {conditional.conditions.front()}));
    EXPECT_TRUE(this->storage_->insert(flow, conditional.conditions));
    EXPECT_TRUE(this->has_flow(flow));
}

TYPED_TEST_P(StorageFlowsContract, FlowsGoWithTheVerification) {
    auto flow = this->add_flow();
    EXPECT_TRUE(this->storage_->set_verified(flow.client, this->at(5)));
    EXPECT_TRUE(this->has_flow(flow));
    EXPECT_TRUE(this->storage_->set_verified(flow.client, std::nullopt));
    EXPECT_FALSE(this->has_flow(flow));
}

REGISTER_TYPED_TEST_SUITE_P(StorageFlowsContract, TakesFlowsUnderTheConditionsThatThePolicyHas,
                            FlowsGoWithTheVerification, ARevokedDevicesFlowsGo, FlowsGoWithTheirDevices,
                            ReturnsFlowsAsTheyWereInserted, ARoamingClientLeavesOneFlowNotOnePerAddress,
                            AFlowThatEndsSoonerTakesNoOthersPlace, RefusesFlowsThatCiteNothing,
                            RefusesFlowsThatNothingGrants, FlowsGoWithWhatTheyCite, FlowsGoWhenTheirTermsChange,
                            FlowsStayWhenSomethingElseChanges, ErasesFlowsToWhatIsOutOfReach);

}  // namespace culvert::portal
