#pragma once

#include <functional>
#include <vector>

#include "culvert/portal/storage_fixture.h"

namespace culvert::portal {

/// What every storage must do with pools of devices, and with flows to those.
template <typename Factory>
class StoragePoolsContract : public StorageFixture<Factory> {
protected:
    StoragePoolsContract() {
        this->storage_->put(owner_);
        this->storage_->put(pool_);
        this->storage_->put(may_use_);
    }

    Client register_device(std::uint64_t number) {
        auto report = this->client_report(number);
        report.actor = owner_.id;
        return *this->storage_->register_client(report, this->rng_);
    }
    DeviceFlow add_device_flow(UnixSeconds expires_at = UnixSeconds{std::chrono::seconds{1000}}) {
        const DeviceFlow flow{.id = FlowId::random(this->rng_),
                              .client = this->storage_->register_client(this->client_report(1), this->rng_)->id,
                              .device = register_device(7).id,
                              .resource = pool_.id,
                              .policy = may_use_.id,
                              .membership = this->membership_.id,
                              .token = this->token_.id,
                              .client_remote_ip = *net::IpAddress::parse("203.0.113.8"),
                              .client_user_agent = "ua",
                              .device_remote_ip = *net::IpAddress::parse("2001:db8::9"),
                              .expires_at = expires_at};
        EXPECT_TRUE(this->storage_->insert(flow, {}));
        return flow;
    }
    bool has(const DeviceFlow& flow) { return !this->storage_->find_device_flows(flow.device).empty(); }
    DeviceFlow again(DeviceFlow flow) {
        flow.id = FlowId::random(this->rng_);
        return flow;
    }

    Actor owner_{ActorId::random(this->rng_), ActorType::kUser, "bob", {}};
    Resource pool_{.id = ResourceId::random(this->rng_),
                   .type = ResourceType::kStaticDevicePool,
                   .name = "build hosts",
                   .address = {},
                   .filters = {{FilterProtocol::kTcp, {{22, 22}}}},
                   .sites = {},
                   .members = {{owner_.id, "client-7"}, {owner_.id, "client-8"}}};
    Policy may_use_{.id = PolicyId::random(this->rng_), .group = this->group_.id, .resource = pool_.id};
};

TYPED_TEST_SUITE_P(StoragePoolsContract);

TYPED_TEST_P(StoragePoolsContract, PoolsAreStoredAsTheyAre) {
    auto pool = this->pool_;
    EXPECT_EQ(this->storage_->load_directory().resources.at(pool.id), pool);

    pool.members = {{this->actor_.id, "other"}, {this->owner_.id, "client-8"}};
    std::ranges::sort(pool.members);
    this->storage_->put(pool);
    EXPECT_EQ(this->storage_->load_directory().resources.at(pool.id), pool);
}

TYPED_TEST_P(StoragePoolsContract, OnlyDevicesThatExistAndArePartOfAPoolAreKnown) {
    EXPECT_TRUE(this->storage_->load_directory().pool_clients.empty());

    const auto device = this->register_device(7);
    static_cast<void>(this->register_device(9));
    static_cast<void>(this->storage_->register_client(this->client_report(7 + 1), this->rng_));
    const std::map<PoolMember, PoolClient> expected = {
        {{this->owner_.id, "client-7"}, {device.id, device.ipv4, device.ipv6}}};
    EXPECT_EQ(this->storage_->load_directory().pool_clients, expected) << "ids are an owner's own";

    EXPECT_TRUE(this->storage_->revoke(device.id, this->at(1)));
    EXPECT_TRUE(this->storage_->load_directory().pool_clients.empty());
}

TYPED_TEST_P(StoragePoolsContract, MembersGoWithTheirOwner) {
    this->storage_->erase(this->owner_.id);
    EXPECT_TRUE(this->storage_->load_directory().resources.at(this->pool_.id).members.empty());
}

TYPED_TEST_P(StoragePoolsContract, ReturnsFlowsAsTheyWereInserted) {
    const auto flow = this->add_device_flow();
    EXPECT_EQ(this->storage_->find_device_flows(flow.device), std::vector{flow});
    EXPECT_TRUE(this->storage_->find_device_flows(flow.client).empty());
    EXPECT_FALSE(this->storage_->insert(flow, {})) << "it is there already";
}

TYPED_TEST_P(StoragePoolsContract, ANewerFlowTakesThePlaceOfOneLikeIt) {
    const auto flow = this->add_device_flow();
    auto newer = this->again(flow);
    newer.client_user_agent = "another";
    EXPECT_TRUE(this->storage_->insert(newer, {}));
    EXPECT_EQ(this->storage_->find_device_flows(flow.device), std::vector{newer});

    auto shorter = this->again(flow);
    shorter.expires_at = this->at(999);
    EXPECT_TRUE(this->storage_->insert(shorter, {}));
    EXPECT_EQ(this->storage_->find_device_flows(flow.device).size(), 2U);
}

TYPED_TEST_P(StoragePoolsContract, RefusesFlowsThatNothingGrants) {
    const auto flow = this->add_device_flow();
    auto without = this->pool_;
    without.members = {{this->owner_.id, "client-8"}};
    auto disabled = this->may_use_;
    disabled.is_disabled = true;
    auto conditional = this->may_use_;
    conditional.conditions = {ClientVerifiedCondition{}};
    const std::vector<std::function<void(Storage&)>> changes = {[&](Storage& s) { s.put(without); },
                                                                [&](Storage& s) { s.put(disabled); },
                                                                [&](Storage& s) { s.put(conditional); }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        changes[i](*this->storage_);
        EXPECT_FALSE(this->has(flow)) << "what was granted goes, too: " << i;
        EXPECT_FALSE(this->storage_->insert(this->again(flow), {})) << i;
        this->storage_->put(this->pool_);
        this->storage_->put(this->may_use_);
        EXPECT_TRUE(this->storage_->insert(this->again(flow), {})) << i;
    }
    auto of_another_policy = this->again(flow);
    of_another_policy.policy = this->policy_.id;
    EXPECT_FALSE(this->storage_->insert(of_another_policy, {}));
    auto to_itself = this->again(flow);
    to_itself.device = flow.client;
    EXPECT_FALSE(this->storage_->insert(to_itself, {})) << "which is in no pool";
}

TYPED_TEST_P(StoragePoolsContract, FlowsGoWithWhatTheyCite) {
    const std::vector<std::function<void(Storage&, const DeviceFlow&)>> erasures = {
        [&](Storage& s, const DeviceFlow&) { s.erase(this->may_use_.id); },
        [&](Storage& s, const DeviceFlow&) { s.erase(this->pool_.id); },
        [&](Storage& s, const DeviceFlow&) { s.erase(this->membership_.id); },
        [&](Storage& s, const DeviceFlow&) { s.erase(this->token_.id); },
        [&](Storage& s, const DeviceFlow& flow) { s.erase(flow.client); },
        [&](Storage& s, const DeviceFlow& flow) { s.erase(flow.device); },
        [&](Storage& s, const DeviceFlow& flow) { s.revoke(flow.client, UnixSeconds{}); },
    };
    for (std::size_t i = 0; i < erasures.size(); ++i) {
        this->storage_->put(this->membership_);
        this->storage_->put(this->token_);
        this->storage_->put(this->pool_);
        this->storage_->put(this->may_use_);
        const auto flow = this->add_device_flow();
        erasures[i](*this->storage_, flow);
        EXPECT_FALSE(this->has(flow)) << i;
    }
}

TYPED_TEST_P(StoragePoolsContract, FlowsGoWhenTheyAreLoggedOtherwise) {
    auto account = this->storage_->load_directory().account;
    auto flow = this->add_device_flow();
    account.flow_logging.upload_batch_size = 17;
    this->storage_->put(account);
    EXPECT_TRUE(this->has(flow)) << "nothing was switched";

    account.flow_logging.is_on = true;
    this->storage_->put(account);
    EXPECT_FALSE(this->has(flow)) << "the account's";

    flow = this->add_device_flow();
    this->may_use_.logs_flows = false;
    this->storage_->put(this->may_use_);
    EXPECT_FALSE(this->has(flow)) << "the policy's";

    flow = this->add_device_flow();
    account.flow_logging.is_on = false;
    this->storage_->put(account);
    EXPECT_TRUE(this->has(flow)) << "it logged none anyway";
}

TYPED_TEST_P(StoragePoolsContract, FlowsGoWithARevokedDevice) {
    const auto flow = this->add_device_flow();
    EXPECT_TRUE(this->storage_->revoke(flow.device, this->at(1)));
    EXPECT_FALSE(this->has(flow));
    EXPECT_FALSE(this->storage_->insert(this->again(flow), {}));
}

TYPED_TEST_P(StoragePoolsContract, FlowsGoWhenThePoolBecomesSomethingElse) {
    const auto flow = this->add_device_flow();
    auto other = this->pool_;
    other.type = ResourceType::kCidr;
    other.address = "10.0.0.0/8";
    this->storage_->put(other);
    EXPECT_FALSE(this->has(flow));
}

TYPED_TEST_P(StoragePoolsContract, FlowsStayWhenSomethingElseChanges) {
    const auto flow = this->add_device_flow();
    auto renamed = this->pool_;
    renamed.name = "others";
    renamed.filters.clear();
    renamed.members = {{this->owner_.id, "client-7"}};
    this->storage_->put(renamed);
    this->storage_->put(this->may_use_);
    EXPECT_TRUE(this->has(flow));
}

TYPED_TEST_P(StoragePoolsContract, ErasesFlowsThatAreOverOrOutOfReach) {
    const auto flow = this->add_device_flow();
    this->storage_->erase_expired_flows(this->at(999));
    EXPECT_FALSE(this->storage_->erase_flows_except(flow.client, {this->may_use_.id}));
    EXPECT_TRUE(this->has(flow));

    EXPECT_TRUE(this->storage_->erase_flows_except(flow.client, {}));
    EXPECT_FALSE(this->has(flow));
    const auto other = this->add_device_flow();
    this->storage_->erase_expired_flows(this->at(1000));
    EXPECT_FALSE(this->has(other));
}

REGISTER_TYPED_TEST_SUITE_P(StoragePoolsContract, PoolsAreStoredAsTheyAre,
                            OnlyDevicesThatExistAndArePartOfAPoolAreKnown, MembersGoWithTheirOwner,
                            ReturnsFlowsAsTheyWereInserted, ANewerFlowTakesThePlaceOfOneLikeIt,
                            RefusesFlowsThatNothingGrants, FlowsGoWithWhatTheyCite, FlowsGoWhenTheyAreLoggedOtherwise,
                            FlowsGoWithARevokedDevice, FlowsGoWhenThePoolBecomesSomethingElse,
                            FlowsStayWhenSomethingElseChanges, ErasesFlowsThatAreOverOrOutOfReach);

}  // namespace culvert::portal
