#pragma once

#include "culvert/portal/storage_fixture.h"

namespace culvert::portal {

/// What every storage must do for administrators.
template <typename Factory>
class StorageAdminContract : public StorageFixture<Factory> {
protected:
    BrowserSession session(const std::string& hash, UnixSeconds expires_at) {
        return {hash, this->actor_.id, this->at(1), expires_at};
    }
    AuditEntry entry(const std::string& name, std::int64_t at) {
        return {.at = this->at(at),
                .actor = this->actor_.id,
                .actor_name = "alice",
                .actor_email = "alice@example.com",
                .remote_ip = "203.0.113.9",
                .action = "create",
                .object_type = "site",
                .object_id = name + "-id",
                .object_name = name,
                .before = "",
                .after = R"({"name":"x"})"};
    }
};

TYPED_TEST_SUITE_P(StorageAdminContract);

TYPED_TEST_P(StorageAdminContract, KeepsPasswordsAsLongAsTheirActors) {
    EXPECT_FALSE(this->storage_->find_password(this->actor_.id));
    this->storage_->put_password(this->actor_.id, "first");
    this->storage_->put_password(this->actor_.id, "second");
    EXPECT_EQ(this->storage_->find_password(this->actor_.id), "second");

    this->storage_->erase(this->actor_.id);
    EXPECT_FALSE(this->storage_->find_password(this->actor_.id));
    EXPECT_THROW(this->storage_->put_password(this->actor_.id, "third"), StorageError);
}

TYPED_TEST_P(StorageAdminContract, KnowsWhetherAnAdministratorHasAPassword) {
    this->storage_->put_password(this->actor_.id, "hash");
    EXPECT_FALSE(this->storage_->can_administrator_sign_in());
    this->actor_.type = ActorType::kAdminUser;
    this->storage_->put(this->actor_);
    EXPECT_TRUE(this->storage_->can_administrator_sign_in());
}

TYPED_TEST_P(StorageAdminContract, SignsOutWhoIsDisabled) {
    this->storage_->put_password(this->actor_.id, "hash");
    this->storage_->put(this->session("a", this->at(20)));
    ASSERT_FALSE(this->storage_->find_dependents(this->actor_.id).tokens.empty());

    this->actor_.type = ActorType::kAdminUser;
    this->actor_.is_disabled = true;
    this->storage_->put(this->actor_);
    EXPECT_EQ(this->storage_->load_directory().actors.at(this->actor_.id), this->actor_);
    EXPECT_TRUE(this->storage_->find_dependents(this->actor_.id).tokens.empty());
    EXPECT_FALSE(this->storage_->find_browser_session("a"));
    EXPECT_FALSE(this->storage_->can_administrator_sign_in());
    EXPECT_TRUE(this->storage_->find_password(this->actor_.id)) << "which counts again when he is enabled";
}

TYPED_TEST_P(StorageAdminContract, KeepsHowLongDevicesStaySignedIn) {
    auto account = this->storage_->load_directory().account;
    EXPECT_EQ(account.client_session_lifetime, std::chrono::days{7});
    account.client_session_lifetime = std::chrono::hours{1};
    this->storage_->put(account);
    EXPECT_EQ(this->storage_->load_directory().account, account);
}

TYPED_TEST_P(StorageAdminContract, EndsBrowserSessions) {
    for (const auto* hash : {"a", "b", "c", "d"}) {
        this->storage_->put(this->session(hash, this->at(*hash == 'd' ? 10 : 20)));
    }
    EXPECT_EQ(this->storage_->find_browser_session("a"), this->session("a", this->at(20)));
    EXPECT_FALSE(this->storage_->find_browser_session("x"));

    this->storage_->erase_expired_browser_sessions(this->at(10));
    EXPECT_FALSE(this->storage_->find_browser_session("d"));
    this->storage_->erase_browser_session("c");
    EXPECT_FALSE(this->storage_->find_browser_session("c"));
    this->storage_->erase_browser_sessions(this->actor_.id, "b");
    EXPECT_FALSE(this->storage_->find_browser_session("a"));
    EXPECT_TRUE(this->storage_->find_browser_session("b"));
    this->storage_->erase(this->actor_.id);
    EXPECT_FALSE(this->storage_->find_browser_session("b"));
}

TYPED_TEST_P(StorageAdminContract, ListsWhatWasDoneFromTheNewestOn) {
    for (const auto* name : {"one", "two", "Three"}) {
        this->storage_->append(this->entry(name, 5));
    }
    const auto all = this->storage_->list_audit("", {});
    ASSERT_EQ(all.rows.size(), 3U);
    EXPECT_EQ(all.count, 3U);
    EXPECT_EQ(all.rows[0].object_name, "Three");
    EXPECT_GT(all.rows[0].number, all.rows[1].number);
    auto expected = this->entry("one", 5);
    expected.number = all.rows[2].number;
    EXPECT_EQ(all.rows[2], expected);

    EXPECT_EQ(this->storage_->list_audit("", {.text = "tHree"}).rows.size(), 1U);
    EXPECT_EQ(this->storage_->list_audit("two-id", {}).rows.size(), 1U);
    EXPECT_EQ(this->storage_->list_audit("", {.text = "100%"}).rows.size(), 0U);
    const auto part = this->storage_->list_audit("", {.skip = 1, .limit = 1});
    ASSERT_EQ(part.rows.size(), 1U);
    EXPECT_EQ(part.rows[0].object_name, "two");
    EXPECT_EQ(part.count, 3U);
}

TYPED_TEST_P(StorageAdminContract, ForgetsWhatWasDoneLongAgo) {
    for (const std::int64_t at : {1, 2, 3, 4}) {
        this->storage_->append(this->entry("x", at));
    }
    this->storage_->erase_audit(this->at(2), 2);
    const auto left = this->storage_->list_audit("", {}).rows;
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].at, this->at(4));
    EXPECT_EQ(left[1].at, this->at(3));
    this->storage_->erase_audit(this->at(4), 100);
    EXPECT_EQ(this->storage_->list_audit("", {}).rows.size(), 1U);
}

TYPED_TEST_P(StorageAdminContract, ListsTokensWithTheirNames) {
    this->storage_->put_name(this->token_.id, "laptop");
    const auto tokens = this->storage_->list_tokens_of(this->actor_.id, std::nullopt, TokenType::kClient);
    ASSERT_EQ(tokens.size(), 1U);
    EXPECT_EQ(tokens[0].id, this->token_.id);
    EXPECT_EQ(tokens[0].name, "laptop");
    EXPECT_EQ(tokens[0].expires_at, this->token_.expires_at);
    EXPECT_TRUE(this->storage_->list_tokens_of(this->actor_.id, std::nullopt, TokenType::kApi).empty());
    EXPECT_TRUE(this->storage_->list_tokens_of(std::nullopt, this->site_.id, TokenType::kClient).empty());
    EXPECT_THROW(this->storage_->put_name(TokenId::random(this->rng_), "x"), StorageError);
}

TYPED_TEST_P(StorageAdminContract, ListsClientsThatWereSeenLastFirst) {
    for (const std::uint64_t number : {1U, 2U, 3U}) {
        auto report = this->client_report(number);
        report.name = "Laptop-" + std::to_string(number);
        report.last_seen.at = this->at(static_cast<std::int64_t>(number));
        ASSERT_TRUE(this->storage_->register_client(report, this->rng_));
    }
    const auto all = this->storage_->list_clients(std::nullopt, {});
    ASSERT_EQ(all.rows.size(), 3U);
    EXPECT_EQ(all.rows[0].name, "Laptop-3");
    EXPECT_EQ(all.rows[0].actor, this->actor_.id);
    EXPECT_FALSE(all.rows[0].is_revoked);
    EXPECT_EQ(this->storage_->list_clients(std::nullopt, {.text = "lapTOP-2"}).count, 1U);
    EXPECT_EQ(this->storage_->list_clients(std::nullopt, {.text = "ALICE"}).count, 3U);
    EXPECT_EQ(this->storage_->list_clients(std::nullopt, {.text = all.rows[1].ipv4.to_string()}).count, 1U);
    EXPECT_EQ(this->storage_->list_clients(ActorId::random(this->rng_), {}).count, 0U);
    EXPECT_EQ(this->storage_->list_clients(this->actor_.id, {.skip = 2, .limit = 5}).rows.size(), 1U);
    EXPECT_EQ(this->storage_->count_clients().at(this->actor_.id), 3U);
}

TYPED_TEST_P(StorageAdminContract, RenamesRevokesAndRestoresDevices) {
    const auto client = this->storage_->register_client(this->client_report(), this->rng_)->id;
    const auto gateway = this->storage_->register_gateway(this->gateway_report(), this->rng_)->id;
    EXPECT_TRUE(this->storage_->rename(client, "new name"));
    EXPECT_FALSE(this->storage_->rename(ClientId::random(this->rng_), "x"));
    EXPECT_EQ(this->storage_->find_known_client(client)->name, "new name");
    EXPECT_FALSE(this->storage_->find_known_client(ClientId::random(this->rng_)));

    this->storage_->revoke(client, this->at(5));
    this->storage_->revoke(gateway, this->at(5));
    EXPECT_TRUE(this->storage_->find_known_client(client)->is_revoked);
    EXPECT_TRUE(this->storage_->list_gateways().at(0).is_revoked);
    EXPECT_TRUE(this->storage_->restore(client));
    EXPECT_TRUE(this->storage_->restore(gateway));
    EXPECT_FALSE(this->storage_->restore(ClientId::random(this->rng_)));
    EXPECT_TRUE(this->storage_->find_client(client));
    EXPECT_TRUE(this->storage_->has_gateway(gateway));
}

TYPED_TEST_P(StorageAdminContract, ListsFlowsByWhatTheyCite) {
    const auto flow = this->add_flow();
    const auto count = [&](const FlowFilter& filter) { return this->storage_->list_flows(filter, {}).rows.size(); };
    const auto all = this->storage_->list_flows({}, {});
    ASSERT_EQ(all.rows.size(), 1U);
    EXPECT_EQ(all.rows[0].id, flow.id);
    EXPECT_EQ(all.rows[0].client_name, "laptop");
    EXPECT_EQ(all.rows[0].gateway_name, "gw");
    EXPECT_EQ(all.rows[0].expires_at, flow.expires_at);
    EXPECT_EQ(count({.client = flow.client, .gateway = flow.gateway, .resource = flow.resource}), 1U);
    EXPECT_EQ(count({.policy = flow.policy, .actor = this->actor_.id}), 1U);
    EXPECT_EQ(count({.client = ClientId::random(this->rng_)}), 0U);
    EXPECT_EQ(count({.gateway = GatewayId::random(this->rng_)}), 0U);
    EXPECT_EQ(count({.resource = ResourceId::random(this->rng_)}), 0U);
    EXPECT_EQ(count({.policy = PolicyId::random(this->rng_)}), 0U);
    EXPECT_EQ(count({.actor = ActorId::random(this->rng_)}), 0U);
    EXPECT_EQ(this->storage_->list_flows({}, {.limit = 0}).count, 1U);
}

REGISTER_TYPED_TEST_SUITE_P(StorageAdminContract, KeepsPasswordsAsLongAsTheirActors, SignsOutWhoIsDisabled,
                            KeepsHowLongDevicesStaySignedIn, KnowsWhetherAnAdministratorHasAPassword,
                            EndsBrowserSessions, ListsWhatWasDoneFromTheNewestOn, ForgetsWhatWasDoneLongAgo,
                            ListsTokensWithTheirNames, ListsClientsThatWereSeenLastFirst,
                            RenamesRevokesAndRestoresDevices, ListsFlowsByWhatTheyCite);

}  // namespace culvert::portal
