#include "tests/model/reference/grants.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;
using Answer = Grants::Answer;

constexpr Instant kNow{100s};
constexpr WallTime kWall{1'000'000s};
constexpr UnixSeconds kWallSeconds{1'000'000s};
constexpr Service kWeb{kProtocolTcp, 80};

template <typename IdType>
IdType id(std::uint8_t number) {
    return IdType{Uuid{{number}}};
}
const auto kClient = id<ClientId>(1);

net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

portal_api::AuthorizeFlow authorize(std::uint8_t resource, std::string_view network,
                                    std::vector<portal_api::Filter> filters = {},
                                    std::optional<UnixSeconds> expires_at = {}) {
    portal_api::AuthorizeFlow message;
    message.client.id = kClient;
    message.resource = portal_api::GatewayCidrResource{id<ResourceId>(resource), "", *net::IpNetwork::parse(network),
                                                       std::move(filters)};
    message.expires_at = expires_at;
    return message;
}

std::vector<portal_api::Filter> only(portal_api::FilterProtocol protocol, std::uint16_t from, std::uint16_t to) {
    return {{protocol, from, to}};
}

TEST(Grants, UnitesTheFiltersOfWiderResourcesOnly) {
    using portal_api::FilterProtocol;
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/16", only(FilterProtocol::kUdp, 53, 53)), kNow, kWall);
    grants.handle(authorize(2, "10.0.0.0/24", only(FilterProtocol::kTcp, 80, 80)), kNow, kWall);
    const auto answer = [&](std::string_view address, Service service) {
        return grants.may_pass(kClient, ip(address), service, kNow, kWall);
    };

    EXPECT_EQ(answer("10.0.0.5", kWeb), Answer::kYes);
    EXPECT_EQ(answer("10.0.0.5", {kProtocolUdp, 53}), Answer::kYes);
    EXPECT_EQ(answer("10.0.9.5", {kProtocolUdp, 53}), Answer::kYes);
    EXPECT_EQ(answer("10.0.9.5", kWeb), Answer::kNo);
    EXPECT_EQ(answer("10.1.0.5", kWeb), Answer::kNo);
}

TEST(Grants, RememberWhoLostSomething) {
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/24"), kNow, kWall);
    EXPECT_FALSE(grants.has_lost(kClient, kWall));
    grants.handle(authorize(2, "10.0.1.0/24", {}, kWallSeconds + 5s), kNow, kWall);
    EXPECT_FALSE(grants.has_lost(kClient, kWall));
    EXPECT_TRUE(grants.has_lost(kClient, kWall + 5s));

    grants.handle(portal_api::RejectAccess{kClient, id<ResourceId>(1)}, kNow, kWall);
    EXPECT_TRUE(grants.has_lost(kClient, kWall));

    grants.handle(authorize(1, "10.0.0.0/24"), kNow, kWall);
    EXPECT_TRUE(grants.has_lost(kClient, kWall));
}

TEST(Grants, ARevocationHasTwoSecondsToTakeEffect) {
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/24"), kNow, kWall);
    grants.handle(portal_api::RejectAccess{kClient, id<ResourceId>(1)}, kNow + 10s, kWall);

    EXPECT_EQ(grants.may_pass(kClient, ip("10.0.0.1"), kWeb, kNow + 12s, kWall), Answer::kLate);
    EXPECT_EQ(grants.may_pass(kClient, ip("10.0.0.1"), kWeb, kNow + 12s + 1ns, kWall), Answer::kNo);
    EXPECT_EQ(grants.is_known(kClient, kNow + 13s, kWall), Answer::kNo);
}

TEST(Grants, AnExpiryHasOneSecondToTakeEffect) {
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/24", {}, kWallSeconds), kNow - 10s, kWall - 10s);
    const auto answer = [&](WallTime wall) { return grants.may_pass(kClient, ip("10.0.0.1"), kWeb, kNow, wall); };

    EXPECT_EQ(answer(kWall - 1ms), Answer::kYes);
    EXPECT_EQ(answer(kWall + 999ms), Answer::kLate);
    EXPECT_EQ(answer(kWall + 1s), Answer::kNo);
}

TEST(Grants, NothingIsGrantedThatHasExpiredByTheGatewaysClock) {
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/24", {}, kWallSeconds), kNow, kWall);

    EXPECT_TRUE(grants.of(kClient).empty());
}

TEST(Grants, AnExpiryThatHasPassedWhenItIsToldEndsAccessLikeARevocation) {
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/24"), kNow - 1s, kWall);
    grants.handle(portal_api::AccessAuthorizationExpiryUpdated{kClient, id<ResourceId>(1), kWallSeconds}, kNow, kWall);
    const auto answer = [&](Duration later, Duration lateness = {}) {
        const auto wall = kWall + 60s + std::chrono::duration_cast<std::chrono::milliseconds>(later);
        return grants.may_pass(kClient, ip("10.0.0.1"), kWeb, kNow + later, wall, lateness);
    };

    EXPECT_EQ(answer(0s), Answer::kLate);
    EXPECT_EQ(answer(2s), Answer::kLate);
    EXPECT_EQ(answer(2001ms), Answer::kNo);
    EXPECT_EQ(answer(2001ms, 5s), Answer::kLate);
    EXPECT_EQ(answer(6s, 5s), Answer::kNo);
}

TEST(Grants, ASnapshotRevokesWhatItDoesNotList) {
    Grants grants;
    grants.handle(authorize(1, "10.0.1.0/24"), kNow, kWall);
    grants.handle(authorize(2, "10.0.2.0/24"), kNow, kWall);
    portal_api::GatewayInit init;
    init.authorizations = {{kClient, id<ResourceId>(2), kWallSeconds + 60s}};

    grants.handle(init, kNow + 1s, kWall);

    EXPECT_FALSE(grants.of(kClient).contains(id<ResourceId>(1)));
    EXPECT_EQ(grants.of(kClient).at(id<ResourceId>(2)).expires_at, kWallSeconds + 60s);
    grants.handle(portal_api::GatewayInit{}, kNow + 2s, kWall);
    EXPECT_TRUE(grants.of(kClient).empty());
}

TEST(Grants, UpdatesReplaceFiltersAndExpiry) {
    Grants grants;
    grants.handle(authorize(1, "10.0.0.0/24"), kNow, kWall);
    grants.handle(portal_api::ResourceUpdated{portal_api::GatewayCidrResource{
                      id<ResourceId>(1), "", *net::IpNetwork::parse("10.9.0.0/24"),
                      only(portal_api::FilterProtocol::kTcp, 443, 443)}},
                  kNow + 1s, kWall);
    grants.handle(portal_api::AccessAuthorizationExpiryUpdated{kClient, id<ResourceId>(1), kWallSeconds}, kNow + 1s,
                  kWall);

    const auto& grant = grants.of(kClient).at(id<ResourceId>(1));
    EXPECT_EQ(grant.network.to_string(), "10.0.0.0/24");
    EXPECT_EQ(grant.filters.front().port_range_start, 443);
    EXPECT_EQ(grant.expires_at, kWallSeconds);
}

}  // namespace
}  // namespace culvert::model
