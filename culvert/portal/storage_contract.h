#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/portal/storage.h"

/// What every storage must do, as tests. Instantiate with a type that has `static std::unique_ptr<Storage> make(Rng&)`:
///
///     INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StorageContract, MakeMemoryStorage);
namespace culvert::portal {

template <typename Factory>
class StorageContract : public testing::Test {
protected:
    StorageContract() : storage_{Factory::make(rng_)} {
        storage_->put(site_);
        storage_->put(actor_);
        storage_->put(group_);
        storage_->put(membership_);
        storage_->put(resource_);
        storage_->put(policy_);
        storage_->put(token_);
    }

    static crypto::PublicKey key(std::uint64_t number) { return {Rng::from_number(number).array<32>()}; }
    static UnixSeconds at(std::int64_t seconds) { return UnixSeconds{std::chrono::seconds{seconds}}; }
    static LastSeen seen() {
        return {"Debian/12 gateway/1.4.18", "1.4.18", *net::IpAddress::parse("203.0.113.7"), at(1)};
    }

    ClientReport client_report(std::uint64_t number = 1) {
        return {.actor = actor_.id,
                .external_id = "client-" + std::to_string(number),
                .name = "laptop",
                .public_key = key(number),
                .device_serial = "PF2XYZ",
                .last_seen = seen()};
    }
    GatewayReport gateway_report(std::uint64_t number = 1) {
        return {.site = site_.id,
                .external_id = "gateway-" + std::to_string(number),
                .name = "gw",
                .public_key = key(100 + number),
                .last_seen = seen()};
    }
    Flow add_flow(UnixSeconds expires_at = at(1000)) {
        const Flow flow{.id = FlowId::random(rng_),
                        .client = storage_->register_client(client_report(), rng_)->id,
                        .gateway = storage_->register_gateway(gateway_report(), rng_)->id,
                        .resource = resource_.id,
                        .policy = policy_.id,
                        .membership = membership_.id,
                        .token = token_.id,
                        .client_remote_ip = *net::IpAddress::parse("203.0.113.8"),
                        .client_user_agent = "ua",
                        .gateway_remote_ip = *net::IpAddress::parse("2001:db8::9"),
                        .expires_at = expires_at};
        EXPECT_TRUE(storage_->insert(flow));
        return flow;
    }
    bool has_flow(const Flow& flow) { return !storage_->find_flows(flow.gateway).empty(); }

    Rng rng_ = Rng::from_number(11);
    std::unique_ptr<Storage> storage_;
    Site site_{SiteId::random(rng_), "hq"};
    Actor actor_{ActorId::random(rng_), ActorType::kServiceAccount, "alice", "alice@example.com"};
    Group group_{GroupId::random(rng_), "engineers"};
    Membership membership_{MembershipId::random(rng_), actor_.id, group_.id};
    Resource resource_{.id = ResourceId::random(rng_),
                       .type = ResourceType::kDns,
                       .name = "wiki",
                       .address = "*.corp.example",
                       .address_description = "https://wiki.corp.example",
                       .ip_stack = IpStack::kIpv4Only,
                       .filters = {{FilterProtocol::kTcp, {{80, 80}, {8000, 8100}}}, {FilterProtocol::kIcmp, {}}},
                       .sites = {site_.id}};
    Policy policy_{.id = PolicyId::random(rng_), .group = group_.id, .resource = resource_.id};
    Token token_{.id = TokenId::random(rng_),
                 .type = TokenType::kClient,
                 .account = std::nullopt,
                 .actor = actor_.id,
                 .site = std::nullopt,
                 .secret_salt = "salt",
                 .secret_hash = "hash",
                 .expires_at = at(2000)};
};

TYPED_TEST_SUITE_P(StorageContract);

TYPED_TEST_P(StorageContract, ReturnsWhatWasPut) {
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

TYPED_TEST_P(StorageContract, ReplacesWhatIsPutAgain) {
    auto account = this->storage_->load_directory().account;
    account.name = "Acme";
    account.search_domain = "corp.example";
    account.upstream_dns = {*net::SocketAddress::parse("9.9.9.9:53"), *net::SocketAddress::parse("[2620:fe::fe]:53")};
    this->resource_.type = ResourceType::kCidr;
    this->resource_.address = "10.0.0.0/8";
    this->resource_.ip_stack = IpStack::kDual;
    this->resource_.filters.clear();
    this->resource_.address_description.reset();
    this->policy_.is_disabled = true;
    this->policy_.conditions = R"([{"property":"remote_ip"}])";
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

TYPED_TEST_P(StorageContract, UndoesATransactionThatFails) {
    const auto before = this->storage_->load_directory();
    EXPECT_THROW(this->storage_->in_transaction([&] {
        this->storage_->erase(this->site_.id);
        throw std::runtime_error{"changed my mind"};
    }),
                 std::runtime_error);

    EXPECT_EQ(this->storage_->load_directory().sites, before.sites);
    EXPECT_EQ(this->storage_->load_directory().resources, before.resources);
}

TYPED_TEST_P(StorageContract, KeepsADevicesIdAndAddresses) {
    const auto first = *this->storage_->register_client(this->client_report(), this->rng_);
    auto report = this->client_report();
    report.public_key = this->key(50);
    report.name = "renamed";
    report.device_serial.reset();

    const auto again = *this->storage_->register_client(report, this->rng_);

    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.ipv4, first.ipv4);
    EXPECT_EQ(again.ipv6, first.ipv6);
    EXPECT_EQ(again.psk_base, first.psk_base);
    EXPECT_EQ(again.public_key, this->key(50));
    EXPECT_EQ(again.name, "laptop");
    EXPECT_FALSE(again.device_serial);
    const auto found = this->storage_->find_client(first.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->public_key, this->key(50));
}

TYPED_TEST_P(StorageContract, TakesAGatewaysNewName) {
    const auto first = *this->storage_->register_gateway(this->gateway_report(), this->rng_);
    auto report = this->gateway_report();
    report.name = "renamed";

    const auto again = *this->storage_->register_gateway(report, this->rng_);

    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.ipv4, first.ipv4);
    EXPECT_EQ(again.psk_base, first.psk_base);
    EXPECT_EQ(again.name, "renamed");
    EXPECT_TRUE(this->storage_->has_gateway(first.id));
}

TYPED_TEST_P(StorageContract, RefusesAPublicKeyInUseByAnyDeviceOfTheAccount) {
    const Actor other{ActorId::random(this->rng_), ActorType::kUser, "mallory", std::nullopt};
    this->storage_->put(other);
    EXPECT_TRUE(this->storage_->register_client(this->client_report(1), this->rng_));
    EXPECT_TRUE(this->storage_->register_gateway(this->gateway_report(1), this->rng_));

    for (const auto& key : {this->key(1), this->key(101)}) {
        auto client = this->client_report(2);
        client.public_key = key;
        EXPECT_EQ(this->storage_->register_client(client, this->rng_), std::unexpected{RegisterError::kPublicKeyTaken});
        client.actor = other.id;
        EXPECT_EQ(this->storage_->register_client(client, this->rng_), std::unexpected{RegisterError::kPublicKeyTaken});
        auto gateway = this->gateway_report(2);
        gateway.public_key = key;
        EXPECT_EQ(this->storage_->register_gateway(gateway, this->rng_),
                  std::unexpected{RegisterError::kPublicKeyTaken});
    }
    // A known device does not get around it either, and keeps what it has.
    auto known = this->client_report(3);
    EXPECT_TRUE(this->storage_->register_client(known, this->rng_));
    known.public_key = this->key(1);
    EXPECT_EQ(this->storage_->register_client(known, this->rng_), std::unexpected{RegisterError::kPublicKeyTaken});
    EXPECT_TRUE(this->storage_->register_client(this->client_report(3), this->rng_));
}

TYPED_TEST_P(StorageContract, TakesThePublicKeyOfADeviceThatHasNotBeenSeenForLong) {
    const auto dead_client = *this->storage_->register_client(this->client_report(1), this->rng_);
    const auto dead_gateway = *this->storage_->register_gateway(this->gateway_report(1), this->rng_);

    auto client = this->client_report(2);
    client.public_key = this->key(101);
    client.limits.keys_kept_since = this->at(2);
    EXPECT_TRUE(this->storage_->register_client(client, this->rng_));
    client = this->client_report(3);
    client.public_key = this->key(1);
    client.limits.keys_kept_since = this->at(1);
    EXPECT_FALSE(this->storage_->register_client(client, this->rng_)) << "seen at 1";
    client.limits.keys_kept_since = this->at(2);
    EXPECT_TRUE(this->storage_->register_client(client, this->rng_));

    EXPECT_FALSE(this->storage_->find_client(dead_client.id));
    EXPECT_FALSE(this->storage_->has_gateway(dead_gateway.id));
}

/// Everything but addresses can be asked beforehand, with the answer that registration gives.
TYPED_TEST_P(StorageContract, KnowsBeforehandWhoIsRefused) {
    const auto expect_obstacle = [&](std::optional<RegisterError> error, const auto& report) {
        EXPECT_EQ(this->storage_->find_obstacle(report), error);
    };
    auto client = this->client_report(1);
    auto gateway = this->gateway_report(1);
    const RelayReport relay{
        .name = "r", .ipv4 = net::IpAddress::parse("203.0.113.21"), .ipv6 = {}, .last_seen = this->seen()};
    expect_obstacle(std::nullopt, client);
    expect_obstacle(std::nullopt, gateway);
    expect_obstacle(std::nullopt, relay);
    const auto known_client = *this->storage_->register_client(client, this->rng_);
    const auto known_gateway = *this->storage_->register_gateway(gateway, this->rng_);
    const auto known_relay = *this->storage_->register_relay(relay, this->rng_);
    client.limits.max_devices = gateway.limits.max_devices = 1;
    expect_obstacle(std::nullopt, client);
    expect_obstacle(std::nullopt, gateway);
    expect_obstacle(std::nullopt, relay);

    auto second_client = this->client_report(2);
    auto second_gateway = this->gateway_report(2);
    second_client.limits.max_devices = second_gateway.limits.max_devices = 1;
    expect_obstacle(RegisterError::kTooManyDevices, second_client);
    expect_obstacle(RegisterError::kTooManyDevices, second_gateway);
    second_client.public_key = gateway.public_key;
    second_gateway.public_key = client.public_key;
    expect_obstacle(RegisterError::kPublicKeyTaken, second_client);
    expect_obstacle(RegisterError::kPublicKeyTaken, second_gateway);

    EXPECT_TRUE(this->storage_->revoke(known_client.id, this->at(3)));
    EXPECT_TRUE(this->storage_->revoke(known_gateway.id, this->at(3)));
    EXPECT_TRUE(this->storage_->revoke(known_relay.id, this->at(3)));
    expect_obstacle(RegisterError::kRevoked, client);
    expect_obstacle(RegisterError::kRevoked, gateway);
    expect_obstacle(RegisterError::kRevoked, relay);
}

/// Whoever is turned away for another reason must not have thrown out the forgotten holder of the key that he shows.
TYPED_TEST_P(StorageContract, ARefusedDeviceTakesNobodysKey) {
    const auto dead_client = *this->storage_->register_client(this->client_report(1), this->rng_);
    const auto dead_gateway = *this->storage_->register_gateway(this->gateway_report(1), this->rng_);
    EXPECT_TRUE(this->storage_->register_client(this->client_report(2), this->rng_));
    EXPECT_TRUE(this->storage_->register_gateway(this->gateway_report(2), this->rng_));

    auto client = this->client_report(3);
    client.public_key = this->key(1);
    client.limits = {.max_devices = 1, .keys_kept_since = this->at(2)};
    EXPECT_EQ(this->storage_->register_client(client, this->rng_), std::unexpected{RegisterError::kTooManyDevices});
    EXPECT_TRUE(this->storage_->find_client(dead_client.id));
    auto gateway = this->gateway_report(3);
    gateway.public_key = this->key(101);
    gateway.limits = {.max_devices = 1, .keys_kept_since = this->at(2)};
    EXPECT_EQ(this->storage_->register_gateway(gateway, this->rng_), std::unexpected{RegisterError::kTooManyDevices});
    EXPECT_TRUE(this->storage_->has_gateway(dead_gateway.id));

    client.limits.max_devices = gateway.limits.max_devices = 2;
    EXPECT_TRUE(this->storage_->register_client(client, this->rng_)) << "in the place of the one that is forgotten";
    EXPECT_FALSE(this->storage_->find_client(dead_client.id));
    EXPECT_TRUE(this->storage_->register_gateway(gateway, this->rng_));
    EXPECT_FALSE(this->storage_->has_gateway(dead_gateway.id));
}

TYPED_TEST_P(StorageContract, RefusesNewDevicesBeyondTheLimitOfTheirOwner) {
    for (std::uint64_t number = 1; number <= 2; ++number) {
        auto client = this->client_report(number);
        client.limits.max_devices = 2;
        EXPECT_TRUE(this->storage_->register_client(client, this->rng_));
        auto gateway = this->gateway_report(number);
        gateway.limits.max_devices = 2;
        EXPECT_TRUE(this->storage_->register_gateway(gateway, this->rng_));
    }
    auto client = this->client_report(3);
    client.limits.max_devices = 2;
    EXPECT_EQ(this->storage_->register_client(client, this->rng_), std::unexpected{RegisterError::kTooManyDevices});
    auto gateway = this->gateway_report(3);
    gateway.limits.max_devices = 2;
    EXPECT_EQ(this->storage_->register_gateway(gateway, this->rng_), std::unexpected{RegisterError::kTooManyDevices});

    client.external_id = "client-1";
    EXPECT_TRUE(this->storage_->register_client(client, this->rng_)) << "it is known";
    const Actor other{ActorId::random(this->rng_), ActorType::kUser, "bob", std::nullopt};
    this->storage_->put(other);
    client = this->client_report(4);
    client.actor = other.id;
    client.limits.max_devices = 2;
    EXPECT_TRUE(this->storage_->register_client(client, this->rng_)) << "somebody else";
}

TYPED_TEST_P(StorageContract, ForgetsDevicesThatAreNotSeen) {
    const auto seen = *this->storage_->register_client(this->client_report(1), this->rng_);
    const auto unseen = *this->storage_->register_client(this->client_report(2), this->rng_);
    const auto gateway = *this->storage_->register_gateway(this->gateway_report(1), this->rng_);
    const auto gone = *this->storage_->register_gateway(this->gateway_report(2), this->rng_);
    this->storage_->record_presence({seen.id}, {gateway.id}, this->at(100));

    EXPECT_EQ(this->storage_->erase_unseen_devices(this->at(1), 10), 0U);
    EXPECT_EQ(this->storage_->erase_unseen_devices(this->at(100), 10), 2U);

    EXPECT_TRUE(this->storage_->find_client(seen.id));
    EXPECT_FALSE(this->storage_->find_client(unseen.id));
    EXPECT_TRUE(this->storage_->has_gateway(gateway.id));
    EXPECT_FALSE(this->storage_->has_gateway(gone.id));
    this->storage_->record_presence({unseen.id}, {gone.id}, this->at(100));
    EXPECT_FALSE(this->storage_->find_client(unseen.id));

    EXPECT_TRUE(this->storage_->register_client(this->client_report(3), this->rng_));
    EXPECT_TRUE(this->storage_->register_client(this->client_report(4), this->rng_));
    EXPECT_EQ(this->storage_->erase_unseen_devices(this->at(50), 1), 1U) << "a bit at a time";
}

TYPED_TEST_P(StorageContract, GivesNobodyTheAddressesOfADeletedDeviceForAWhile) {
    using std::chrono::seconds;
    const auto old = *this->storage_->register_client(this->client_report(1), this->rng_);
    this->storage_->erase(this->actor_.id);
    this->storage_->put(this->actor_);
    // A copy of the generator draws the same addresses again.
    const auto draw = [&](std::uint64_t number) {
        auto rng = Rng::from_number(77);
        return *this->storage_->register_client(this->client_report(number), rng);
    };
    const auto first = draw(2);
    this->storage_->erase(this->actor_.id);
    this->storage_->put(this->actor_);

    this->storage_->release_addresses(this->at(1000), seconds{100});
    this->storage_->release_addresses(this->at(1099), seconds{100});
    const auto during = draw(3);
    EXPECT_NE(during.ipv4, first.ipv4);
    EXPECT_NE(during.ipv6, first.ipv6);
    this->storage_->erase(this->actor_.id);
    this->storage_->put(this->actor_);

    this->storage_->release_addresses(this->at(1100), seconds{100});
    const auto after = draw(4);
    EXPECT_EQ(after.ipv4, first.ipv4);
    EXPECT_EQ(after.ipv6, first.ipv6);
    EXPECT_NE(after.ipv4, old.ipv4);
}

TYPED_TEST_P(StorageContract, RevokesTurnUsersWithTheirTokenOrDevice) {
    const auto client = *this->storage_->register_client(this->client_report(), this->rng_);
    const auto gateway = *this->storage_->register_gateway(this->gateway_report(), this->rng_);
    auto gateway_token = this->token_;
    gateway_token.id = TokenId::random(this->rng_);
    gateway_token.type = TokenType::kGateway;
    gateway_token.actor.reset();
    gateway_token.expires_at.reset();
    gateway_token.site = this->site_.id;
    this->storage_->put(gateway_token);
    const TurnUser of_client{"client", this->token_.id, client.id.uuid(), this->at(500)};
    const TurnUser of_gateway{"gateway", gateway_token.id, gateway.id.uuid(), this->at(600)};
    const auto revoked = [&](std::int64_t now) { return this->storage_->revoked_turn_users(this->at(now)); };
    const std::vector<RevokedTurnUser> both{{"client", this->at(500)}, {"gateway", this->at(600)}};
    const std::vector<RevokedTurnUser> only_client{both[0]};
    const std::vector<RevokedTurnUser> only_gateway{both[1]};

    const std::vector<std::pair<std::function<void(Storage&)>, std::vector<RevokedTurnUser>>> cases = {
        {[&](Storage& s) { s.erase(this->token_.id); }, only_client},
        {[&](Storage& s) { s.erase(this->actor_.id); }, only_client},
        {[&](Storage& s) { s.erase(gateway_token.id); }, only_gateway},
        {[&](Storage& s) { s.erase(this->site_.id); }, only_gateway},
        {[&](Storage& s) { s.erase_expired_tokens(this->at(2000)); }, only_client},
        {[&](Storage& s) { s.erase_unseen_devices(this->at(2), 10); }, both},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        this->storage_->put(of_client);
        this->storage_->put(of_gateway);
        EXPECT_TRUE(revoked(499).empty()) << i;
        EXPECT_THROW(this->storage_->in_transaction([&] {
            cases[i].first(*this->storage_);
            EXPECT_EQ(revoked(499), cases[i].second) << i;
            throw std::runtime_error{"undo"};
        }),
                     std::runtime_error);
    }
    this->storage_->erase(this->token_.id);
    EXPECT_EQ(revoked(499), only_client);
    EXPECT_TRUE(revoked(500).empty()) << "expired by itself";
    this->storage_->erase_expired_turn_users(this->at(500));
    EXPECT_TRUE(revoked(1).empty());
}

TYPED_TEST_P(StorageContract, ATurnUserThatShowsAnotherTokenIsEntitledAgain) {
    const auto client = *this->storage_->register_client(this->client_report(), this->rng_);
    this->storage_->put(TurnUser{"salt", this->token_.id, client.id.uuid(), this->at(500)});
    auto token = this->token_;
    token.id = TokenId::random(this->rng_);
    this->storage_->put(token);
    this->storage_->erase(this->token_.id);
    EXPECT_EQ(this->storage_->revoked_turn_users(this->at(1)).size(), 1U);

    this->storage_->put(TurnUser{"salt", token.id, client.id.uuid(), this->at(500)});

    EXPECT_TRUE(this->storage_->revoked_turn_users(this->at(1)).empty());
    this->storage_->erase(token.id);
    EXPECT_EQ(this->storage_->revoked_turn_users(this->at(1)).size(), 1U);
}

TYPED_TEST_P(StorageContract, OfADevicesTurnUsersTheNewestAreEntitled) {
    const auto client = *this->storage_->register_client(this->client_report(), this->rng_);
    const auto put = [&](std::size_t number) {
        this->storage_->put(
            TurnUser{"salt-" + std::to_string(100 + number), this->token_.id, client.id.uuid(), this->at(500)});
    };
    for (std::size_t i = 0; i < kTurnUsersPerDevice; ++i) {
        put(i);
    }
    EXPECT_TRUE(this->storage_->revoked_turn_users(this->at(1)).empty());
    put(0);  // is the newest now
    put(99);

    EXPECT_EQ(this->storage_->revoked_turn_users(this->at(1)),
              (std::vector<RevokedTurnUser>{{"salt-101", this->at(500)}}));
}

TYPED_TEST_P(StorageContract, KnowsARelayByAddressAndPort) {
    const auto v4 = net::IpAddress::parse("203.0.113.21");
    const auto v6 = net::IpAddress::parse("2001:db8::21");
    RelayReport report{.name = "r", .ipv4 = v4, .ipv6 = v6, .port = 3478, .last_seen = this->seen()};
    const auto first = *this->storage_->register_relay(report, this->rng_);

    report.ipv6.reset();
    EXPECT_EQ(this->storage_->register_relay(report, this->rng_)->id, first.id);
    report.port = 3479;
    EXPECT_NE(this->storage_->register_relay(report, this->rng_)->id, first.id);
    const RelayReport only_v6{.name = {}, .ipv4 = {}, .ipv6 = v6, .port = 3478, .last_seen = this->seen()};
    const auto other = *this->storage_->register_relay(only_v6, this->rng_);
    EXPECT_NE(other.id, first.id);
    EXPECT_EQ(this->storage_->register_relay(only_v6, this->rng_)->id, other.id);
}

TYPED_TEST_P(StorageContract, RefusesARevokedDeviceUntilItIsErased) {
    const auto flow = this->add_flow();
    const RelayReport relay_report{
        .name = "r", .ipv4 = net::IpAddress::parse("203.0.113.21"), .ipv6 = {}, .last_seen = this->seen()};
    const auto relay = this->storage_->register_relay(relay_report, this->rng_)->id;

    EXPECT_TRUE(this->storage_->revoke(flow.client, this->at(1)));
    EXPECT_TRUE(this->storage_->revoke(flow.gateway, this->at(1)));
    EXPECT_TRUE(this->storage_->revoke(relay, this->at(1)));
    EXPECT_TRUE(this->storage_->revoke(relay, this->at(2))) << "twice does no harm";

    EXPECT_FALSE(this->storage_->find_client(flow.client));
    EXPECT_FALSE(this->storage_->has_gateway(flow.gateway));
    EXPECT_FALSE(this->storage_->has_relay(relay));
    EXPECT_EQ(this->storage_->register_client(this->client_report(), this->rng_),
              std::unexpected{RegisterError::kRevoked});
    EXPECT_EQ(this->storage_->register_gateway(this->gateway_report(), this->rng_),
              std::unexpected{RegisterError::kRevoked});
    EXPECT_EQ(this->storage_->register_relay(relay_report, this->rng_), std::unexpected{RegisterError::kRevoked});
    auto renamed = this->client_report(2);
    renamed.public_key = this->key(1);
    EXPECT_EQ(this->storage_->register_client(renamed, this->rng_), std::unexpected{RegisterError::kPublicKeyTaken})
        << "its key is not free for another name";

    EXPECT_TRUE(this->storage_->erase(flow.client));
    EXPECT_TRUE(this->storage_->erase(flow.gateway));
    EXPECT_TRUE(this->storage_->erase(relay));
    EXPECT_FALSE(this->storage_->erase(relay));
    EXPECT_FALSE(this->storage_->revoke(relay, this->at(1)));
    EXPECT_NE(this->storage_->register_client(this->client_report(), this->rng_)->id, flow.client);
    EXPECT_NE(this->storage_->register_gateway(this->gateway_report(), this->rng_)->id, flow.gateway);
    EXPECT_TRUE(this->storage_->has_relay(this->storage_->register_relay(relay_report, this->rng_)->id));
}

TYPED_TEST_P(StorageContract, ARevokedDevicesFlowsGo) {
    const auto flow = this->add_flow();
    EXPECT_TRUE(this->storage_->revoke(flow.client, this->at(1)));
    EXPECT_FALSE(this->has_flow(flow));
    auto again = flow;
    again.id = FlowId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(again)) << "and none comes back";

    EXPECT_TRUE(this->storage_->erase(flow.client));
    const auto other = this->add_flow();
    EXPECT_TRUE(this->storage_->revoke(other.gateway, this->at(1)));
    EXPECT_FALSE(this->has_flow(other));
    again = other;
    again.id = FlowId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(again));
}

TYPED_TEST_P(StorageContract, FlowsGoWithTheirDevices) {
    const auto flow = this->add_flow();
    EXPECT_TRUE(this->storage_->erase(flow.client));
    EXPECT_FALSE(this->has_flow(flow));

    const auto other = this->add_flow();
    EXPECT_TRUE(this->storage_->erase(other.gateway));
    EXPECT_FALSE(this->has_flow(other));
}

TYPED_TEST_P(StorageContract, ReturnsFlowsAsTheyWereInserted) {
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

TYPED_TEST_P(StorageContract, ARoamingClientLeavesOneFlowNotOnePerAddress) {
    auto flow = this->add_flow(kNever);
    for (std::uint8_t n = 0; n < 50; ++n) {
        flow.id = FlowId::random(this->rng_);
        flow.client_remote_ip = net::IpAddress{std::array<std::uint8_t, 4>{198, 51, 100, n}};
        ASSERT_TRUE(this->storage_->insert(flow));
    }

    EXPECT_EQ(this->storage_->find_flows(flow.gateway), std::vector{flow});
}

TYPED_TEST_P(StorageContract, AFlowThatEndsSoonerTakesNoOthersPlace) {
    auto flow = this->add_flow(this->at(1000));
    flow.id = FlowId::random(this->rng_);
    flow.expires_at = this->at(999);
    ASSERT_TRUE(this->storage_->insert(flow));

    EXPECT_EQ(this->storage_->find_flows(flow.gateway).size(), 2U);
}

TYPED_TEST_P(StorageContract, RefusesFlowsThatCiteNothing) {
    auto flow = this->add_flow();
    flow.id = FlowId::random(this->rng_);
    flow.policy = PolicyId::random(this->rng_);
    EXPECT_FALSE(this->storage_->insert(flow));
    EXPECT_EQ(this->storage_->find_flows(flow.gateway).size(), 1U);
}

TYPED_TEST_P(StorageContract, RefusesFlowsThatNothingGrants) {
    auto flow = this->add_flow();
    auto elsewhere = this->resource_;
    elsewhere.sites.clear();
    auto disabled = this->policy_;
    disabled.is_disabled = true;
    auto conditional = this->policy_;
    conditional.conditions = "[1]";
    auto of_another_group = this->membership_;
    of_another_group.group = GroupId::random(this->rng_);
    this->storage_->put(Group{of_another_group.group, "others"});
    const std::vector<std::function<void(Storage&)>> changes = {
        [&](Storage& s) { s.put(elsewhere); }, [&](Storage& s) { s.put(disabled); },
        [&](Storage& s) { s.put(conditional); }, [&](Storage& s) { s.put(of_another_group); }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        changes[i](*this->storage_);
        flow.id = FlowId::random(this->rng_);
        EXPECT_FALSE(this->storage_->insert(flow)) << i;
        this->storage_->put(this->resource_);
        this->storage_->put(this->policy_);
        this->storage_->put(this->membership_);
        EXPECT_TRUE(this->storage_->insert(flow)) << i;
    }
}

TYPED_TEST_P(StorageContract, FlowsGoWithWhatTheyCite) {
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

TYPED_TEST_P(StorageContract, FlowsGoWhenTheirTermsChange) {
    auto redirected = this->resource_;
    redirected.address = "other.example";
    auto removed_from_site = this->resource_;
    removed_from_site.sites.clear();
    auto disabled = this->policy_;
    disabled.is_disabled = true;
    auto conditional = this->policy_;
    conditional.conditions = "[1]";
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

TYPED_TEST_P(StorageContract, FlowsStayWhenSomethingElseChanges) {
    const auto flow = this->add_flow();
    this->resource_.name = "renamed";
    this->resource_.filters.clear();
    this->storage_->put(this->resource_);
    this->storage_->put(this->policy_);
    this->site_.name = "renamed";
    this->storage_->put(this->site_);

    EXPECT_TRUE(this->has_flow(flow));
}

TYPED_TEST_P(StorageContract, ErasesFlowsToWhatIsOutOfReach) {
    const auto flow = this->add_flow();
    EXPECT_FALSE(this->storage_->erase_flows_except(flow.client, {this->resource_.id}));
    EXPECT_TRUE(this->has_flow(flow));

    EXPECT_TRUE(this->storage_->erase_flows_except(flow.client, {}));
    EXPECT_FALSE(this->has_flow(flow));
}

TYPED_TEST_P(StorageContract, ErasesWhatExpired) {
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

TYPED_TEST_P(StorageContract, CascadesThroughTheConfiguration) {
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

REGISTER_TYPED_TEST_SUITE_P(StorageContract, ReturnsWhatWasPut, ReplacesWhatIsPutAgain, UndoesATransactionThatFails,
                            KeepsADevicesIdAndAddresses, TakesAGatewaysNewName,
                            RefusesAPublicKeyInUseByAnyDeviceOfTheAccount,
                            TakesThePublicKeyOfADeviceThatHasNotBeenSeenForLong, ARefusedDeviceTakesNobodysKey,
                            KnowsBeforehandWhoIsRefused, RefusesNewDevicesBeyondTheLimitOfTheirOwner,
                            ForgetsDevicesThatAreNotSeen, GivesNobodyTheAddressesOfADeletedDeviceForAWhile,
                            RevokesTurnUsersWithTheirTokenOrDevice, ATurnUserThatShowsAnotherTokenIsEntitledAgain,
                            OfADevicesTurnUsersTheNewestAreEntitled, KnowsARelayByAddressAndPort,
                            RefusesARevokedDeviceUntilItIsErased, ARevokedDevicesFlowsGo, FlowsGoWithTheirDevices,
                            ReturnsFlowsAsTheyWereInserted, ARoamingClientLeavesOneFlowNotOnePerAddress,
                            AFlowThatEndsSoonerTakesNoOthersPlace, RefusesFlowsThatCiteNothing,
                            RefusesFlowsThatNothingGrants, FlowsGoWithWhatTheyCite, FlowsGoWhenTheirTermsChange,
                            FlowsStayWhenSomethingElseChanges, ErasesFlowsToWhatIsOutOfReach, ErasesWhatExpired,
                            CascadesThroughTheConfiguration);

}  // namespace culvert::portal
