#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "culvert/portal/storage_fixture.h"

namespace culvert::portal {

/// What every storage must do with devices and the users of relays that they are.
template <typename Factory>
class StorageDevicesContract : public StorageFixture<Factory> {};

TYPED_TEST_SUITE_P(StorageDevicesContract);

TYPED_TEST_P(StorageDevicesContract, KeepsADevicesIdAndAddresses) {
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

TYPED_TEST_P(StorageDevicesContract, TakesAGatewaysNewName) {
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

TYPED_TEST_P(StorageDevicesContract, RefusesAPublicKeyInUseByAnyDeviceOfTheAccount) {
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

TYPED_TEST_P(StorageDevicesContract, TakesThePublicKeyOfADeviceThatHasNotBeenSeenForLong) {
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
TYPED_TEST_P(StorageDevicesContract, KnowsBeforehandWhoIsRefused) {
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
TYPED_TEST_P(StorageDevicesContract, ARefusedDeviceTakesNobodysKey) {
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

TYPED_TEST_P(StorageDevicesContract, RefusesNewDevicesBeyondTheLimitOfTheirOwner) {
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

TYPED_TEST_P(StorageDevicesContract, ForgetsDevicesThatAreNotSeen) {
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

TYPED_TEST_P(StorageDevicesContract, GivesNobodyTheAddressesOfADeletedDeviceForAWhile) {
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

TYPED_TEST_P(StorageDevicesContract, RevokesTurnUsersWithTheirTokenOrDevice) {
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
    const std::vector<RevokedTurnUser> both{{"gateway", this->at(600)}, {"client", this->at(500)}};
    const std::vector<RevokedTurnUser> only_client{both[1]};
    const std::vector<RevokedTurnUser> only_gateway{both[0]};

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

TYPED_TEST_P(StorageDevicesContract, ATurnUserThatShowsAnotherTokenIsEntitledAgain) {
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

TYPED_TEST_P(StorageDevicesContract, OfADevicesTurnUsersTheNewestAreEntitled) {
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

TYPED_TEST_P(StorageDevicesContract, KnowsARelayByAddressAndPort) {
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

TYPED_TEST_P(StorageDevicesContract, RefusesARevokedDeviceUntilItIsErased) {
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

TYPED_TEST_P(StorageDevicesContract, AMachineStaysVerifiedForAsLongAsItSaysTheSameOfItself) {
    auto report = this->client_report();
    const auto id = this->storage_->register_client(report, this->rng_)->id;
    EXPECT_FALSE(this->storage_->find_client(id)->verified_at);
    const auto verified = [&] {
        EXPECT_EQ(this->storage_->find_known_client(id)->verified_at, this->storage_->find_client(id)->verified_at);
        return this->storage_->find_client(id)->verified_at;
    };
    EXPECT_TRUE(this->storage_->set_verified(id, this->at(5)));
    EXPECT_EQ(verified(), this->at(5));
    report.device_uuid = "D6B5A1F2";  // which it did not say before
    report.name = "another name";
    EXPECT_EQ(this->storage_->register_client(report, this->rng_)->verified_at, this->at(5));
    report.device_serial = "another";
    EXPECT_FALSE(this->storage_->register_client(report, this->rng_)->verified_at);
    EXPECT_FALSE(verified());
    EXPECT_TRUE(this->storage_->set_verified(id, this->at(6)));
    report.device_uuid.reset();
    EXPECT_FALSE(this->storage_->register_client(report, this->rng_)->verified_at) << "says less than before";
    EXPECT_FALSE(this->storage_->set_verified(ClientId::random(this->rng_), this->at(6)));
}

REGISTER_TYPED_TEST_SUITE_P(StorageDevicesContract, AMachineStaysVerifiedForAsLongAsItSaysTheSameOfItself,
                            KeepsADevicesIdAndAddresses, TakesAGatewaysNewName,
                            RefusesAPublicKeyInUseByAnyDeviceOfTheAccount,
                            TakesThePublicKeyOfADeviceThatHasNotBeenSeenForLong, KnowsBeforehandWhoIsRefused,
                            ARefusedDeviceTakesNobodysKey, RefusesNewDevicesBeyondTheLimitOfTheirOwner,
                            ForgetsDevicesThatAreNotSeen, GivesNobodyTheAddressesOfADeletedDeviceForAWhile,
                            RevokesTurnUsersWithTheirTokenOrDevice, ATurnUserThatShowsAnotherTokenIsEntitledAgain,
                            OfADevicesTurnUsersTheNewestAreEntitled, KnowsARelayByAddressAndPort,
                            RefusesARevokedDeviceUntilItIsErased);

}  // namespace culvert::portal
