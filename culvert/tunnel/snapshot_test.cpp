#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/base64.h"
#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

/// One client that uses one resource behind one gateway.
struct Small {
    explicit Small(std::uint64_t seed) : network{seed} {
        network.init_client();
        network.run_for(1s);
        network.add_resource(1, "10.1.0.0/16");
        network.send(packet::make_udp(socket("100.64.0.1:1"), socket("10.1.0.5:2"), Bytes(10)));
        network.run_for(3s);
    }
    [[nodiscard]] std::string client() const { return network.client.state.debug_snapshot(network.now); }
    [[nodiscard]] std::string gateway() const { return network.gateways.at(1).state.debug_snapshot(network.now); }

    TunnelNetwork network;
    TunnelNetwork::Gateway& first = network.add_gateway(1);
};

TEST(TunnelSnapshot, OfTheSameHistoryIsTheSame) {
    const Small a{1};
    const Small b{1};
    ASSERT_EQ(a.first.received.size(), 1U);

    EXPECT_EQ(a.client(), b.client());
    EXPECT_EQ(a.gateway(), b.gateway());
    EXPECT_NE(a.client(), Small{2}.client());
}

TEST(TunnelSnapshot, ShowsResourcesAndPeers) {
    const Small small{1};
    const auto resource = small.network.grants.begin()->first.to_string();

    EXPECT_THAT(small.client(), HasSubstr("assignment resource=" + resource));
    EXPECT_THAT(small.client(), HasSubstr("route network=10.1.0.0/16"));
    EXPECT_THAT(small.gateway(), HasSubstr("grant resource=" + resource));
    EXPECT_THAT(small.gateway(), HasSubstr("connection id="));
}

TEST(TunnelSnapshot, TellsNoSecrets) {
    const Small small{1};
    const auto created = small.network.flow_created(small.network.grants.begin()->first);
    for (const auto& text : {small.client(), small.gateway()}) {
        EXPECT_THAT(text, Not(HasSubstr(to_base64(created.preshared_key.reveal()))));
        EXPECT_THAT(text, Not(HasSubstr(to_hex(created.preshared_key.reveal()))));
        EXPECT_THAT(text, Not(HasSubstr("password=" + created.client_ice_credentials.password)));
        EXPECT_THAT(text, Not(HasSubstr("password=" + created.gateway_ice_credentials.password)));
        for (const auto& relay : small.network.relays()) {
            EXPECT_THAT(text, Not(HasSubstr(relay.password)));
        }
    }
}

}  // namespace
}  // namespace culvert::tunnel::test
