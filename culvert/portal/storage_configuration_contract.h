#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "culvert/portal/storage_fixture.h"

namespace culvert::portal {

/// What every storage must do with configuration, tokens and transactions.
template <typename Factory>
class StorageConfigurationContract : public StorageFixture<Factory> {};

TYPED_TEST_SUITE_P(StorageConfigurationContract);

TYPED_TEST_P(StorageConfigurationContract, ReturnsWhatWasPut) {
    const auto directory = this->storage_->load_directory();

    EXPECT_EQ(directory.account.slug, "default");
    EXPECT_EQ(directory.sites.at(this->site_.id), this->site_);
    EXPECT_EQ(directory.actors.at(this->actor_.id), this->actor_);
    EXPECT_EQ(directory.groups.at(this->group_.id), this->group_);
    EXPECT_EQ(directory.memberships.at(this->membership_.id), this->membership_);
    EXPECT_EQ(directory.resources.at(this->resource_.id), this->resource_);
    EXPECT_EQ(directory.policies.at(this->policy_.id), this->policy_);
    EXPECT_EQ(this->storage_->find_token(this->token_.id), this->token_);
    EXPECT_FALSE(this->storage_->find_token(TokenId::random(this->rng_)));
}

TYPED_TEST_P(StorageConfigurationContract, ReplacesWhatIsPutAgain) {
    auto account = this->storage_->load_directory().account;
    account.name = "Acme";
    account.search_domain = "corp.example";
    account.upstream_dns = {*net::SocketAddress::parse("9.9.9.9:53"), *net::SocketAddress::parse("[2620:fe::fe]:53")};
    account.upstream_doh = {"https://dns.example/dns-query"};
    this->resource_.type = ResourceType::kCidr;
    this->resource_.address = "10.0.0.0/8";
    this->resource_.ip_stack = IpStack::kDual;
    this->resource_.filters.clear();
    this->resource_.address_description.reset();
    this->policy_.is_disabled = true;
    this->policy_.description = "for the audit";
    this->policy_.conditions = {RemoteIpCondition{false, {*net::IpNetwork::parse("203.0.113.0/24")}},
                                TimeCondition{{*DayHours::parse("M/08:00-12:00,13:00-17:30:05/Europe/Atlantis")}},
                                AuthProviderCondition{true, {Uuid::random(this->rng_)}}, ClientVerifiedCondition{}};
    this->site_.name = "headquarters";
    this->storage_->put(account);
    this->storage_->put(this->resource_);
    this->storage_->put(this->policy_);
    this->storage_->put(this->site_);

    const auto directory = this->storage_->load_directory();

    EXPECT_EQ(directory.account, account);
    EXPECT_EQ(directory.resources.at(this->resource_.id), this->resource_);
    EXPECT_EQ(directory.policies.at(this->policy_.id), this->policy_);
    EXPECT_EQ(directory.sites.at(this->site_.id), this->site_);
    EXPECT_EQ(directory.sites.size(), 1U);
}

TYPED_TEST_P(StorageConfigurationContract, UndoesATransactionThatFails) {
    const auto before = this->storage_->load_directory();
    EXPECT_THROW(this->storage_->in_transaction([&] {
        this->storage_->erase(this->site_.id);
        throw std::runtime_error{"changed my mind"};
    }),
                 std::runtime_error);

    EXPECT_EQ(this->storage_->load_directory().sites, before.sites);
    EXPECT_EQ(this->storage_->load_directory().resources, before.resources);
}

TYPED_TEST_P(StorageConfigurationContract, ErasesWhatExpired) {
    const auto flow = this->add_flow(this->at(1000));
    this->storage_->erase_expired_flows(this->at(999));
    EXPECT_TRUE(this->has_flow(flow));
    this->storage_->erase_expired_flows(this->at(1000));
    EXPECT_FALSE(this->has_flow(flow));

    this->storage_->erase_expired_tokens(this->at(1999));
    EXPECT_TRUE(this->storage_->find_token(this->token_.id));
    this->storage_->erase_expired_tokens(this->at(2000));
    EXPECT_FALSE(this->storage_->find_token(this->token_.id));
}

TYPED_TEST_P(StorageConfigurationContract, CascadesThroughTheConfiguration) {
    const auto flow = this->add_flow();
    this->storage_->erase(this->site_.id);
    this->storage_->erase(this->actor_.id);
    this->storage_->erase(this->group_.id);

    const auto directory = this->storage_->load_directory();

    EXPECT_TRUE(directory.resources.at(this->resource_.id).sites.empty());
    EXPECT_TRUE(directory.memberships.empty());
    EXPECT_TRUE(directory.policies.empty());
    EXPECT_FALSE(this->storage_->find_client(flow.client));
    EXPECT_FALSE(this->storage_->has_gateway(flow.gateway));
    EXPECT_FALSE(this->storage_->find_token(this->token_.id));
}

REGISTER_TYPED_TEST_SUITE_P(StorageConfigurationContract, ReturnsWhatWasPut, ReplacesWhatIsPutAgain,
                            UndoesATransactionThatFails, ErasesWhatExpired, CascadesThroughTheConfiguration);

}  // namespace culvert::portal
