#include "culvert/dns/tunnel_ports.h"

#include <set>

#include <gtest/gtest.h>

#include "culvert/dns/constants.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;

const auto kServer = net::SocketAddress::parse("10.0.0.53:53").value();
const auto kStranger = net::SocketAddress::parse("10.0.0.54:53").value();

class TunnelPortsTest : public testing::Test {
protected:
    TunnelPorts ports{Rng::from_number(3)};
    Instant now{};
};

TEST_F(TunnelPortsTest, AreDifferentAndHigh) {
    std::set<std::uint16_t> seen;
    for (std::uint64_t i = 0; i < kTunnelQueries; ++i) {
        const auto port = ports.open(AskId{i}, kServer);
        ASSERT_TRUE(port);
        EXPECT_GE(*port, kFirstTunnelPort);
        EXPECT_TRUE(seen.insert(*port).second);
    }
}

TEST_F(TunnelPortsTest, TakeAnswersFromTheServerOnly) {
    const auto port = *ports.open(AskId{7}, kServer);
    EXPECT_EQ(std::get<AskId>(ports.owner(kServer, port, now)), AskId{7});
    EXPECT_TRUE(std::holds_alternative<TunnelPorts::NotOurs>(ports.owner(kStranger, port, now)));
    EXPECT_TRUE(std::holds_alternative<TunnelPorts::NotOurs>(ports.owner(kServer, port ^ 1U, now)));
}

TEST_F(TunnelPortsTest, KnowLateAnswersForAWhile) {
    const auto port = *ports.open(AskId{7}, kServer);
    ports.close(port, now);
    EXPECT_TRUE(std::holds_alternative<TunnelPorts::Late>(ports.owner(kServer, port, now + 59s)));
    EXPECT_TRUE(std::holds_alternative<TunnelPorts::NotOurs>(ports.owner(kStranger, port, now + 59s)));
    EXPECT_TRUE(std::holds_alternative<TunnelPorts::NotOurs>(ports.owner(kServer, port, now + 60s)));
}

TEST_F(TunnelPortsTest, RunOutBeforeFindingOneTakesLong) {
    std::uint64_t opened = 0;
    while (ports.open(AskId{opened}, kServer)) {
        ++opened;
    }
    EXPECT_EQ(opened, 8192U);
}

}  // namespace
}  // namespace culvert::dns
