#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

// The Internet resource of a client: spec/tunnel.md sections 3.5 and 11.2.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using portal_api::ResourceCreatedOrUpdated;
using portal_api::ResourceDeleted;

constexpr std::string_view kOurSocket = "100.64.0.1:5000";
constexpr std::string_view kOutside = "198.51.100.200:53";

Bytes internet_packet(std::string_view from, std::string_view to, std::uint8_t number = 0) {
    return packet::make_udp(socket(from), socket(to), Bytes(1, std::byte{number}));
}

class ClientInternet : public ::testing::Test {
protected:
    void SetUp() override {
        network.init_client();
        network.run_for(1s);
        network.add_resource(internet(1));
    }

    void use_internet(bool is_active = true) {
        network.client.state.apply(SetInternetResource{is_active}, network.now, network.wall_now());
        network.drain();
    }
    [[nodiscard]] bool has_default_routes() const {
        const auto& config = *network.client.tun_config;
        const bool has_v4 = std::ranges::count(config.ipv4_routes, test::network("0.0.0.0/0")) == 1;
        const bool has_v6 = std::ranges::count(config.ipv6_routes, test::network("::/0")) == 1;
        EXPECT_EQ(has_v4, has_v6);
        return has_v4;
    }
    /// Has the host send a packet, and the gateway answer it; whether the answer got through.
    bool is_answered(std::string_view there) {
        network.client.received.clear();
        network.send(internet_packet(kOurSocket, there));
        network.run_for(1s);
        network.send_from_rogue_gateway(internet_packet(there, kOurSocket));
        network.run_for(1s);
        return !network.client.received.empty();
    }
    [[nodiscard]] bool has_heard_goodbye() const {
        return std::ranges::any_of(network.rogue_gateway->received,
                                   [](const Bytes& packet) { return equal(packet, p2p::goodbye_packet()); });
    }

    TunnelNetwork network;
    std::vector<portal_api::CreateFlow>& intents = network.client.intents;
};

TEST_F(ClientInternet, IsOffUntilItIsWanted) {
    EXPECT_FALSE(has_default_routes());
    network.send(internet_packet(kOurSocket, kOutside));
    EXPECT_TRUE(intents.empty()) << "nothing leaks";

    use_internet();

    EXPECT_TRUE(has_default_routes());
    network.send(internet_packet(kOurSocket, kOutside));
    ASSERT_EQ(intents.size(), 1U);
    EXPECT_EQ(intents[0].resource_id, id<ResourceId>(1));
}

TEST_F(ClientInternet, MayBeWantedFromTheStart) {
    ClientTunnel client{Rng::from_number(9), network.now, WallTime{network.wall_now()}, {.wants_internet = true}};
    const auto has_default_route = [&](std::vector<portal_api::ClientResource> resources) {
        client.handle_portal(
            portal_api::ClientInit{
                {network.client.ipv4, network.client.ipv6, {}, {}, {}}, std::move(resources), network.relays()},
            network.now, network.wall_now());
        while (const auto event = client.poll_event()) {
            if (const auto* updated = std::get_if<TunInterfaceUpdated>(&*event)) {
                return std::ranges::count(updated->config.ipv4_routes, test::network("0.0.0.0/0")) == 1;
            }
        }
        return false;
    };

    EXPECT_FALSE(has_default_route({})) << "the wish alone is not enough";
    EXPECT_TRUE(has_default_route({internet(1)}));
}

TEST_F(ClientInternet, CarriesWhatNoOtherResourceServes) {
    network.add_gateway(1);
    network.add_resource(2, "10.1.0.0/16", {.gateway = 1, .filters = {}, .expires_at = {}});
    use_internet();
    network.connect_rogue_gateway(1, internet_packet(kOurSocket, kOutside));
    EXPECT_TRUE(is_answered("192.0.2.77:443"));
    EXPECT_TRUE(is_answered(kOutside));
    network.rogue_gateway->received.clear();

    network.send(internet_packet(kOurSocket, "10.1.0.5:53"));
    network.run_for(3s);

    EXPECT_EQ(network.gateways.at(1).received.size(), 1U);
    EXPECT_TRUE(network.rogue_gateway->received.empty());
}

TEST_F(ClientInternet, GoesThroughAGatewayOfOurs) {
    auto& gateway = network.add_gateway(1);
    use_internet();

    network.send(internet_packet(kOurSocket, "192.0.2.77:443"));
    network.run_for(3s);
    ASSERT_EQ(gateway.received.size(), 1U);
    network.send(gateway, internet_packet("192.0.2.77:443", kOurSocket));
    network.run_for(1s);

    EXPECT_EQ(network.client.received.size(), 1U);
}

TEST_F(ClientInternet, TakesNothingThatIsOfTheTunnelOrOfNoHost) {
    use_internet();
    for (const auto* destination : {"100.64.0.77:1", "100.96.0.1:1", "100.100.111.77:53", "224.0.0.251:5353",
                                    "255.255.255.255:67", "169.254.169.254:80"}) {
        network.send(internet_packet(kOurSocket, destination));
        EXPECT_TRUE(intents.empty()) << destination;
    }
    for (const auto* destination : {"[fd00:2021:1111::77]:1", "[fd00:2021:1111:8000::]:1",
                                    "[fd00:2021:1111:8000:100:100:111:77]:53", "[ff02::fb]:5353", "[fe80::1]:1"}) {
        network.send(internet_packet("[fd00:2021:1111::1]:5000", destination));
        EXPECT_TRUE(intents.empty()) << destination;
    }
}

TEST_F(ClientInternet, EndsWithItsFlowsWhenItIsNotWantedAnyMore) {
    use_internet();
    network.connect_rogue_gateway(1, internet_packet(kOurSocket, kOutside));
    ASSERT_TRUE(is_answered(kOutside));
    const auto updates = network.client.tun_updates;

    use_internet(false);
    EXPECT_FALSE(has_default_routes());
    network.run_for(1s);
    EXPECT_TRUE(has_heard_goodbye()) << "it served nothing else";
    intents.clear();
    EXPECT_FALSE(is_answered(kOutside));
    EXPECT_TRUE(intents.empty());
    use_internet(false);

    EXPECT_EQ(network.client.tun_updates, updates + 1);
}

TEST_F(ClientInternet, DropsWhatWaitedForItWhenItIsNotWantedAnyMore) {
    network.is_portal_answering = false;
    use_internet();
    network.send(internet_packet(kOurSocket, kOutside));
    ASSERT_EQ(intents.size(), 1U);

    use_internet(false);
    use_internet(true);
    network.send(internet_packet(kOurSocket, "192.0.2.77:443"));

    EXPECT_EQ(intents.size(), 2U) << "asked for at once: the request before has ended";
}

TEST_F(ClientInternet, MustBeWantedAgainOnceItWasTakenAway) {
    use_internet();
    network.to_client(ResourceDeleted{id<ResourceId>(1)});
    EXPECT_FALSE(has_default_routes());

    network.to_client(ResourceCreatedOrUpdated{internet(1)});
    EXPECT_FALSE(has_default_routes());

    use_internet();
    EXPECT_TRUE(has_default_routes());
}

TEST_F(ClientInternet, SurvivesAListThatStillHasIt) {
    use_internet();
    network.connect_rogue_gateway(1, internet_packet(kOurSocket, kOutside));

    network.init_client();

    EXPECT_TRUE(has_default_routes());
    EXPECT_TRUE(is_answered(kOutside));
}

TEST_F(ClientInternet, LeavesItsDestinationsToANewNarrowerResource) {
    network.add_gateway(1);
    use_internet();
    network.connect_rogue_gateway(1, internet_packet(kOurSocket, kOutside));
    ASSERT_TRUE(is_answered(kOutside));
    network.add_resource(2, "198.51.100.0/24", {.gateway = 1, .filters = {}, .expires_at = {}});
    network.rogue_gateway->received.clear();

    network.send(internet_packet(kOurSocket, kOutside));
    network.run_for(3s);

    EXPECT_EQ(network.gateways.at(1).received.size(), 1U);
    EXPECT_TRUE(network.rogue_gateway->received.empty());
    network.client.received.clear();
    network.send_from_rogue_gateway(internet_packet(kOutside, kOurSocket));
    network.run_for(1s);
    EXPECT_TRUE(network.client.received.empty()) << "the flow goes through the other gateway now";
}

}  // namespace
}  // namespace culvert::tunnel::test
