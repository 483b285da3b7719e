#include "culvert/tunnel/client/gateway_peers.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::id;
using test::ip;
using test::network;
using testing::ElementsAre;

const auto kG1 = id<GatewayId>(1);
const auto kG2 = id<GatewayId>(2);
const auto kR1 = id<ResourceId>(1);
const auto kR2 = id<ResourceId>(2);

GatewayPeers two_gateways() {
    GatewayPeers peers;
    peers.add(kG1, ip("100.64.0.2"), ip("fd00:2021:1111::2"));
    peers.add(kG2, ip("100.64.0.3"), ip("fd00:2021:1111::3"));
    return peers;
}

TEST(GatewayPeers, MayUseTheirOwnAddressesAndTheNetworksTheyServe) {
    auto peers = two_gateways();
    peers.assign(kR1, kG1, std::array{network("10.0.0.0/24")});

    EXPECT_TRUE(peers.may_send_from(kG1, ip("100.64.0.2")));
    EXPECT_TRUE(peers.may_send_from(kG1, ip("fd00:2021:1111::2")));
    EXPECT_TRUE(peers.may_send_from(kG1, ip("10.0.0.9")));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("10.0.1.9")));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("100.64.0.3")));
    EXPECT_FALSE(peers.may_send_from(kG2, ip("10.0.0.9")));
    EXPECT_FALSE(peers.may_send_from(id<GatewayId>(9), ip("10.0.0.9")));
}

TEST(GatewayPeers, KeepANetworkWhileAnyResourceNeedsIt) {
    auto peers = two_gateways();
    peers.assign(kR1, kG1, std::array{network("10.0.0.0/24")});
    peers.assign(kR2, kG1, std::array{network("10.0.0.0/24")});

    EXPECT_TRUE(peers.unassign(kR1));
    EXPECT_FALSE(peers.unassign(kR1));
    EXPECT_TRUE(peers.may_send_from(kG1, ip("10.0.0.9")));
    EXPECT_THAT(peers.unused(), ElementsAre(kG2));

    EXPECT_TRUE(peers.unassign(kR2));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("10.0.0.9")));
    EXPECT_THAT(peers.unused(), ElementsAre(kG1, kG2));
}

TEST(GatewayPeers, MoveAResourceToAnotherGateway) {
    auto peers = two_gateways();
    peers.assign(kR1, kG1, std::array{network("10.0.0.0/24")});

    peers.assign(kR1, kG2, std::array{network("10.0.0.0/24")});

    EXPECT_EQ(peers.gateway_of(kR1), kG2);
    EXPECT_FALSE(peers.may_send_from(kG1, ip("10.0.0.9")));
    EXPECT_TRUE(peers.may_send_from(kG2, ip("10.0.0.9")));
}

TEST(GatewayPeers, AreInUseAlsoForWhatHasNoNetworks) {
    auto peers = two_gateways();

    peers.assign(kR1, kG1, {});

    EXPECT_THAT(peers.unused(), ElementsAre(kG2));
    EXPECT_THAT(peers.resources_of(kG1), ElementsAre(kR1));
    EXPECT_TRUE(peers.may_send_from(kG1, ip("100.64.0.2")));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("10.0.0.9")));
}

TEST(GatewayPeers, NeverUseAddressesOfTheTunnelThatAreNotTheirOwn) {
    auto peers = two_gateways();

    peers.assign(kR1, kG1, std::array{network("0.0.0.0/0"), network("::/0")});

    EXPECT_TRUE(peers.may_send_from(kG1, ip("192.0.2.1")));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("100.64.0.3")));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("100.96.0.1")));
    EXPECT_FALSE(peers.may_send_from(kG1, ip("fd00:2021:1111:8000::")));
}

TEST(GatewayPeers, ForgetAssignmentsTogetherWithTheGateway) {
    auto peers = two_gateways();
    peers.assign(kR1, kG1, std::array{network("10.0.0.0/24")});
    peers.assign(kR2, kG2, std::array{network("10.0.1.0/24")});

    EXPECT_TRUE(peers.remove(kG1));

    EXPECT_FALSE(peers.remove(kG1));
    EXPECT_EQ(peers.gateway_of(kR1), std::nullopt);
    EXPECT_EQ(peers.gateway_of(kR2), kG2);
    EXPECT_EQ(peers.find_by_address(ip("100.64.0.2")), std::nullopt);
    EXPECT_EQ(peers.find_by_address(ip("fd00:2021:1111::3")), kG2);
}

}  // namespace
}  // namespace culvert::tunnel
