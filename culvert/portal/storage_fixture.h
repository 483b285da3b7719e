#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "culvert/portal/storage.h"

namespace culvert::portal {

/// A storage that `Factory` makes, `static std::unique_ptr<Storage> make(Rng&)`, with one row of each kind of
/// configuration.
template <typename Factory>
class StorageFixture : public testing::Test {
protected:
    StorageFixture() : storage_{Factory::make(rng_)} {
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
        EXPECT_TRUE(storage_->insert(flow, {}));
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

}  // namespace culvert::portal
