#include "tests/model/reference/told_resources.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{100s};

ResourceId rid(std::uint8_t number) {
    return ResourceId{Uuid{{number}}};
}
SiteId sid(std::uint8_t number) {
    return SiteId{Uuid{{0x51, number}}};
}
net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

portal_api::ClientCidrResource cidr(std::uint8_t number, std::string_view network, std::uint8_t site = 1) {
    return {.id = rid(number),
            .name = "r",
            .address = *net::IpNetwork::parse(network),
            .address_description = {},
            .sites = {{sid(site), "s"}},
            .filters = {}};
}

portal_api::ClientInit init(std::vector<portal_api::ClientResource> resources) {
    return {.interface = {.ipv4 = ip("100.64.0.1"),
                          .ipv6 = ip("fd00:2021:1111::1"),
                          .upstream_dns = {},
                          .search_domain = {}},
            .resources = std::move(resources),
            .relays = {}};
}

portal_api::FlowCreated flow_created(std::uint8_t resource, std::uint8_t gateway) {
    portal_api::FlowCreated message;
    message.resource_id = rid(resource);
    message.gateway_id = GatewayId{Uuid{{0x6a, gateway}}};
    message.site_id = sid(1);
    return message;
}

portal_api::FromClient create_flow(std::uint8_t resource) {
    return portal_api::CreateFlow{rid(resource), {}};
}

TEST(ToldResources, SelectsTheLongestPrefix) {
    ToldResources told;
    told.handle(init({cidr(1, "10.0.0.0/16"), cidr(2, "10.0.1.0/24"), cidr(3, "10.0.1.0/24")}), kNow);

    ASSERT_EQ(told.candidates(ip("10.0.2.1")).size(), 1U);
    EXPECT_EQ(told.candidates(ip("10.0.2.1")).front()->id, rid(1));
    EXPECT_EQ(told.candidates(ip("10.0.1.1")).size(), 2U);
    EXPECT_EQ(told.covering(ip("10.0.1.1")).size(), 3U);
    EXPECT_TRUE(told.candidates(ip("10.1.0.1")).empty());
}

TEST(ToldResources, AFullListRemovesWhatItLacks) {
    ToldResources told;
    told.handle(init({cidr(1, "10.0.0.0/16"), cidr(2, "10.0.1.0/24")}), kNow);
    told.handle(create_flow(2), kNow);
    told.handle(flow_created(2, 1), kNow);

    told.handle(init({cidr(2, "10.0.1.0/24")}), kNow + 1s);

    EXPECT_FALSE(told.told_at(rid(1)));
    EXPECT_EQ(told.removed_at(rid(1)), kNow + 1s);
    EXPECT_EQ(told.told_at(rid(2)), kNow);
    EXPECT_NE(told.flow(rid(2)), nullptr);
}

TEST(ToldResources, AnotherAddressOrSiteEndsTheFlowButANameDoesNot) {
    ToldResources told;
    told.handle(init({cidr(1, "10.0.0.0/16")}), kNow);
    told.handle(create_flow(1), kNow);
    told.handle(flow_created(1, 1), kNow);

    auto renamed = cidr(1, "10.0.0.0/16");
    renamed.name = "other";
    renamed.sites[0].name = "other";
    told.handle(portal_api::ResourceCreatedOrUpdated{renamed}, kNow + 1s);
    EXPECT_NE(told.flow(rid(1)), nullptr);

    told.handle(portal_api::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/16", 2)}, kNow + 2s);
    EXPECT_EQ(told.flow(rid(1)), nullptr);
    EXPECT_EQ(told.removed_at(rid(1)), kNow + 2s);
}

TEST(ToldResources, IgnoresFlowsForResourcesItDoesNotHave) {
    ToldResources told;
    told.handle(create_flow(1), kNow);
    told.handle(flow_created(1, 1), kNow);

    EXPECT_EQ(told.flow(rid(1)), nullptr);
}

TEST(ToldResources, IgnoresFlowsThatTheClientDoesNotWaitFor) {
    ToldResources told;
    told.handle(init({cidr(1, "10.0.0.0/16")}), kNow);
    told.handle(flow_created(1, 1), kNow);
    EXPECT_EQ(told.flow(rid(1)), nullptr);

    told.handle(create_flow(1), kNow);
    told.handle(create_flow(1), kNow + 2s);
    told.handle(flow_created(1, 1), kNow + 3s);
    told.handle(flow_created(1, 2), kNow + 9s);  // the answer to the other one, from a gateway that hung
    ASSERT_NE(told.flow(rid(1)), nullptr);
    EXPECT_EQ(told.flow(rid(1))->gateway, flow_created(1, 1).gateway_id);

    told.reset();
    told.handle(flow_created(1, 2), kNow + 10s);
    EXPECT_EQ(told.flow(rid(1)), nullptr);

    told.handle(create_flow(1), kNow + 20s);
    told.handle(flow_created(1, 2), kNow + 21s);
    EXPECT_NE(told.flow(rid(1)), nullptr);

    told.reset();
    told.handle(create_flow(1), kNow + 21500ms);
    told.handle(flow_created(1, 2), kNow + 21600ms);
    EXPECT_NE(told.flow(rid(1)), nullptr);
}

class GivenGatewayTest : public ::testing::Test {
protected:
    void SetUp() override {
        told.handle(init({cidr(1, "10.0.0.0/16")}), kNow);
        told.handle(create_flow(1), kNow);
        told.handle(flow_created(1, 1), kNow);
    }
    [[nodiscard]] bool is_given(std::uint8_t gateway) const {
        return told.is_given(rid(1), flow_created(1, gateway).gateway_id);
    }

    ToldResources told;
};

TEST_F(GivenGatewayTest, IsThatOfTheAnswer) {
    EXPECT_TRUE(is_given(1));
    EXPECT_FALSE(is_given(2));
    EXPECT_FALSE(told.is_given(rid(2), flow_created(1, 1).gateway_id));
}

TEST_F(GivenGatewayTest, MayBeAnyIfAnswersCrossedRequests) {
    told.handle(create_flow(1), kNow + 1s);
    told.handle(flow_created(1, 2), kNow + 9s);

    EXPECT_TRUE(is_given(1));
    EXPECT_TRUE(is_given(2));
}

TEST_F(GivenGatewayTest, IsTheNewOneAfterTheClientAskedAgain) {
    told.handle(create_flow(1), kNow + 1001ms);
    EXPECT_TRUE(is_given(1));
    told.handle(flow_created(1, 2), kNow + 2s);

    EXPECT_FALSE(is_given(1));
    EXPECT_TRUE(is_given(2));
}

TEST_F(GivenGatewayTest, IsNoneAfterTheEndOfTheResource) {
    told.handle(portal_api::ResourceDeleted{rid(1)}, kNow + 1s);
    told.handle(portal_api::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/16")}, kNow + 2s);

    EXPECT_FALSE(is_given(1));
}

TEST_F(GivenGatewayTest, IsNoneAfterTheEndOfTheProcess) {
    told.clear(kNow + 1s);
    told.handle(init({cidr(1, "10.0.0.0/16")}), kNow + 2s);

    EXPECT_FALSE(is_given(1));
}

TEST_F(GivenGatewayTest, IsNoneAfterAReset) {
    told.reset();

    EXPECT_FALSE(is_given(1));
}

TEST_F(GivenGatewayTest, IsNoneOnceAllAreOffline) {
    told.handle(portal_api::FlowCreationFailed{rid(1), portal_api::FlowFailure::kOffline, {}}, kNow + 1s);

    EXPECT_FALSE(is_given(1));
}

TEST(ToldResources, ResetForgetsFlowsOnly) {
    ToldResources told;
    told.handle(init({cidr(1, "10.0.0.0/16")}), kNow);
    told.handle(create_flow(1), kNow);
    told.handle(flow_created(1, 1), kNow);

    told.reset();

    EXPECT_TRUE(told.flows().empty());
    EXPECT_EQ(told.all().size(), 1U);
}

TEST(ToldResources, OfflineOutlivesAFlowThatHasNoConnectionYet) {
    ToldResources told;
    told.handle(init({cidr(1, "10.0.0.0/16")}), kNow);
    told.handle(portal_api::FlowCreationFailed{rid(1), portal_api::FlowFailure::kForbidden, {}}, kNow);
    EXPECT_FALSE(told.was_told_offline(sid(1)));

    told.handle(portal_api::FlowCreationFailed{rid(1), portal_api::FlowFailure::kOffline, {}}, kNow);
    EXPECT_TRUE(told.was_told_offline(sid(1)));
    told.handle(create_flow(1), kNow);
    told.handle(flow_created(1, 1), kNow);
    EXPECT_TRUE(told.was_told_offline(sid(1)));
}

TEST(ToldResources, RoutesAreTheNetworksAndTheFixedRanges) {
    ToldResources told;
    EXPECT_FALSE(told.tun_config());
    told.handle(init({cidr(1, "10.1.0.0/16"), cidr(2, "2001:db8::/32"), cidr(3, "10.1.0.0/16")}), kNow);

    const auto config = told.tun_config();

    ASSERT_TRUE(config);
    std::vector<std::string> routes;
    for (const auto& route : config->ipv4_routes) {
        routes.push_back(route.to_string());
    }
    EXPECT_EQ(routes, (std::vector<std::string>{"10.1.0.0/16", "100.64.0.0/11", "100.96.0.0/11", "100.100.111.0/24"}));
    EXPECT_EQ(config->ipv6_routes.size(), 4U);
}

}  // namespace
}  // namespace culvert::model
