#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// Resources, routes and statuses of a client: spec/tunnel.md section 11.2.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using portal_api::ResourceCreatedOrUpdated;
using portal_api::ResourceDeleted;
using testing::ElementsAre;

class ClientResources : public ::testing::Test {
protected:
    void SetUp() override {
        network.add_gateway(1);
        network.init_client();
        network.run_for(1s);
    }

    void connect(std::uint8_t number, std::string_view destination) {
        send_udp(destination);
        network.run_for(3s);
        ASSERT_EQ(network.client.intents.back().resource_id, id<ResourceId>(number));
        ASSERT_FALSE(gateway.received.empty());
    }
    void send_udp(std::string_view destination) {
        Bytes payload;
        append_be(payload, ++sent);
        network.send(packet::make_udp(socket("100.64.0.1:5000"), socket(destination), payload));
    }

    [[nodiscard]] std::vector<std::string> shown() const {
        std::vector<std::string> lines;
        for (const auto& view : network.client.resources) {
            lines.push_back(view.name + " " + view.address + " " + std::string{to_string(view.status)});
        }
        return lines;
    }
    [[nodiscard]] bool has_route(std::string_view route) const {
        const auto& routes = network.client.tun_config->ipv4_routes;
        return std::ranges::find(routes, test::network(route)) != routes.end();
    }

    TunnelNetwork network;
    TunnelNetwork::Gateway& gateway = network.add_gateway(1);
    std::uint16_t sent = 0;
};

TEST_F(ClientResources, AreRoutedTogetherWithTheRangesOfTheTunnel) {
    network.add_resource(1, "10.1.0.0/16");
    network.add_resource(2, "2001:db8::/32");

    const auto& config = *network.client.tun_config;
    EXPECT_EQ(config.ipv4, ip("100.64.0.1"));
    EXPECT_EQ(config.ipv6, ip("fd00:2021:1111::1"));
    EXPECT_THAT(config.ipv4_routes, ElementsAre(test::network("10.1.0.0/16"), test::network("100.64.0.0/11"),
                                                test::network("100.96.0.0/11"), test::network("100.100.111.0/24")));
    EXPECT_THAT(config.ipv6_routes, ElementsAre(test::network("2001:db8::/32"), test::network("fd00:2021:1111::/107"),
                                                test::network("fd00:2021:1111:8000::/107"),
                                                test::network("fd00:2021:1111:8000:100:100:111:0/120")));
}

TEST_F(ClientResources, ComeWithASearchDomain) {
    network.to_client(portal_api::ConfigChanged{{network.client.ipv4, network.client.ipv6, {}, {}, "corp.example"}});
    EXPECT_EQ(network.client.tun_config->search_domain, "corp.example");

    network.add_resource(1, "10.1.0.0/16");
    EXPECT_EQ(network.client.tun_config->search_domain, "corp.example") << "it outlives a change of routes";

    network.to_client(portal_api::ConfigChanged{{network.client.ipv4, network.client.ipv6, {}, {}, {}}});
    EXPECT_EQ(network.client.tun_config->search_domain, std::nullopt);
}

TEST_F(ClientResources, AreReplacedWhenTheirAddressChanges) {
    network.add_resource(1, "10.1.0.0/16");

    network.add_resource(1, "10.2.0.0/16");

    EXPECT_FALSE(has_route("10.1.0.0/16"));
    EXPECT_TRUE(has_route("10.2.0.0/16"));
    EXPECT_THAT(shown(), ElementsAre("resource 1 10.2.0.0/16 Unknown"));
}

TEST_F(ClientResources, MayChangeTheirType) {
    network.add_resource(1, "10.1.0.0/16");

    network.to_client(ResourceCreatedOrUpdated{dns(1, "*.example.com")});
    EXPECT_THAT(shown(), ElementsAre("resource 1 *.example.com Unknown"));
    EXPECT_FALSE(has_route("10.1.0.0/16"));

    network.to_client(ResourceCreatedOrUpdated{cidr(1, "10.1.0.0/16")});
    EXPECT_THAT(shown(), ElementsAre("resource 1 10.1.0.0/16 Unknown"));
    EXPECT_TRUE(has_route("10.1.0.0/16"));
}

TEST_F(ClientResources, AreExactlyThoseOfTheLastFullList) {
    network.add_resource(1, "10.1.0.0/16");
    network.add_resource(2, "10.2.0.0/16");

    portal_api::ClientInit init{{network.client.ipv4, network.client.ipv6, {}, {}, {}},
                                {cidr(3, "10.3.0.0/16"), dns(5, "example.com"), cidr(4, "10.4.0.0/16")},
                                network.relays()};
    network.to_client(init);

    EXPECT_THAT(shown(), ElementsAre("resource 3 10.3.0.0/16 Unknown", "resource 4 10.4.0.0/16 Unknown",
                                     "resource 5 example.com Unknown"));
}

TEST_F(ClientResources, KeepTheirConnectionThroughAnIdenticalList) {
    network.add_resource(1, "10.1.0.0/16");
    connect(1, "10.1.0.5:53");

    network.init_client();
    gateway.received.clear();
    send_udp("10.1.0.5:53");
    network.run_for(1s);

    EXPECT_EQ(gateway.received.size(), 1U);
    EXPECT_EQ(network.client.intents.size(), 1U);
}

TEST_F(ClientResources, KeepTheirConnectionWhenOnlyNamesChange) {
    network.add_resource(1, "10.1.0.0/16");
    connect(1, "10.1.0.5:53");

    auto renamed = cidr(1, "10.1.0.0/16");
    renamed.name = "renamed";
    renamed.sites.front().name = "renamed";
    network.to_client(ResourceCreatedOrUpdated{renamed});
    gateway.received.clear();
    send_udp("10.1.0.5:53");
    network.run_for(1s);

    EXPECT_EQ(gateway.received.size(), 1U);
    EXPECT_EQ(network.client.intents.size(), 1U);
    EXPECT_THAT(shown(), ElementsAre("renamed 10.1.0.0/16 Online"));
}

TEST_F(ClientResources, LoseTheirConnectionWhenTheyMoveToAnotherSite) {
    network.add_resource(1, "10.1.0.0/16");
    connect(1, "10.1.0.5:53");

    auto moved = cidr(1, "10.1.0.0/16");
    moved.sites = {{id<SiteId>(7), "elsewhere"}};
    network.to_client(ResourceCreatedOrUpdated{moved});
    network.is_portal_answering = false;
    send_udp("10.1.0.5:53");

    EXPECT_EQ(network.client.intents.size(), 2U);
}

TEST_F(ClientResources, HaveTheirConnectionsEndKnown) {
    network.add_resource(1, "10.1.0.0/16");
    connect(1, "10.1.0.1:80");
    EXPECT_TRUE(network.client.ended_connections.empty());

    network.remove_resource(id<ResourceId>(1));
    EXPECT_THAT(network.client.ended_connections, testing::Contains(id<GatewayId>(1).uuid()))
        << "the portal need not hear of its candidates any more";
}

TEST_F(ClientResources, KeepASharedNetworkOnceConnected) {
    network.add_resource(1, "10.0.0.0/24");
    connect(1, "10.0.0.5:53");

    network.add_resource(2, "10.0.0.0/24");
    gateway.received.clear();
    send_udp("10.0.0.5:53");
    network.run_for(1s);

    EXPECT_EQ(network.client.intents.size(), 1U);
    EXPECT_EQ(gateway.received.size(), 1U);
}

TEST_F(ClientResources, TakeOverRunningFlowsFromAWiderOne) {
    network.add_resource(1, "10.0.0.0/16");
    connect(1, "10.0.0.5:53");
    send_udp("10.0.0.5:53");

    network.add_resource(2, "10.0.0.0/24");
    send_udp("10.0.0.5:53");

    EXPECT_EQ(network.client.intents.back().resource_id, id<ResourceId>(2));
}

TEST_F(ClientResources, ShareANetworkInFavourOfTheLargestId) {
    network.is_portal_answering = false;
    network.add_resource(2, "10.0.0.0/24");
    network.add_resource(1, "10.0.0.0/24");

    send_udp("10.0.0.5:53");

    EXPECT_EQ(network.client.intents.back().resource_id, id<ResourceId>(2));
}

TEST_F(ClientResources, ChangeTheTunOnlyIfTheResultDiffers) {
    const auto updates = network.client.tun_updates;

    network.client.state.handle_portal(ResourceCreatedOrUpdated{cidr(1, "10.1.0.0/16")}, network.now,
                                       network.wall_now());
    network.client.state.handle_portal(ResourceDeleted{id<ResourceId>(1)}, network.now, network.wall_now());
    network.drain();
    EXPECT_EQ(network.client.tun_updates, updates);

    const auto lists = network.client.resource_updates;
    for (std::uint8_t number = 1; number <= 3; ++number) {
        network.client.state.handle_portal(
            ResourceCreatedOrUpdated{cidr(number, "10." + std::to_string(number) + ".0.0/16")}, network.now,
            network.wall_now());
    }
    network.drain();
    EXPECT_EQ(network.client.tun_updates, updates + 1);
    EXPECT_EQ(network.client.resource_updates, lists + 1);
}

TEST_F(ClientResources, AreListedAgainOnlyIfTheListDiffers) {
    network.add_resource(1, "10.1.0.0/16");
    const auto lists = network.client.resource_updates;

    network.init_client();
    network.client.state.reset("same network", network.now);
    network.run_for(1s);
    EXPECT_EQ(network.client.resource_updates, lists);

    network.add_resource(2, "10.2.0.0/16");
    EXPECT_EQ(network.client.resource_updates, lists + 1);
}

TEST_F(ClientResources, GoOnlineWithTheirConnectionAndUnknownWithoutIt) {
    network.add_resource(1, "10.1.0.0/16");
    network.add_resource(2, "10.2.0.0/16");
    EXPECT_THAT(shown(), ElementsAre("resource 1 10.1.0.0/16 Unknown", "resource 2 10.2.0.0/16 Unknown"));

    connect(1, "10.1.0.5:53");
    EXPECT_THAT(shown(), ElementsAre("resource 1 10.1.0.0/16 Online", "resource 2 10.2.0.0/16 Online"));

    gateway.is_up = false;
    network.run_for(150s);
    EXPECT_THAT(shown(), ElementsAre("resource 1 10.1.0.0/16 Unknown", "resource 2 10.2.0.0/16 Unknown"));
}

TEST_F(ClientResources, GoOfflineTogetherWithTheirSite) {
    network.is_portal_answering = false;
    auto two_sites = cidr(2, "10.2.0.0/16");
    two_sites.sites.push_back({id<SiteId>(7), "other"});
    network.add_resource(1, "10.1.0.0/16");
    network.to_client(ResourceCreatedOrUpdated{two_sites});
    send_udp("10.1.0.5:53");

    network.to_client(portal_api::FlowCreationFailed{id<ResourceId>(1), portal_api::FlowFailure::kOffline, {}});

    EXPECT_THAT(shown(), ElementsAre("resource 1 10.1.0.0/16 Offline", "resource 2 10.2.0.0/16 Unknown"));
}

TEST_F(ClientResources, AreRemovedByIdAndUnknownIdsIgnored) {
    network.add_resource(1, "10.1.0.0/16");
    const auto lists = network.client.resource_updates;

    network.to_client(ResourceDeleted{id<ResourceId>(9)});
    EXPECT_EQ(network.client.resource_updates, lists);

    network.to_client(ResourceDeleted{id<ResourceId>(1)});
    EXPECT_TRUE(shown().empty());
    EXPECT_FALSE(has_route("10.1.0.0/16"));
}

TEST_F(ClientResources, NewAddressesOfTheInterfaceReachTheTun) {
    network.add_resource(1, "10.1.0.0/16");

    network.to_client(portal_api::ConfigChanged{{ip("100.64.0.7"), ip("fd00:2021:1111::7"), {}, {}}});

    EXPECT_EQ(network.client.tun_config->ipv4, ip("100.64.0.7"));
    EXPECT_EQ(network.client.tun_config->ipv6, ip("fd00:2021:1111::7"));
    EXPECT_TRUE(has_route("10.1.0.0/16"));
}

}  // namespace
}  // namespace culvert::tunnel::test
