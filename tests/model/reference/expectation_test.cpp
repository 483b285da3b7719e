#include "tests/model/reference/expectation.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr GatewayNo kGateway{1};
constexpr ResourceNo kResource{1};

/// A client whose token lasts for 200 s, and a resource behind a gateway whose clock may be wrong.
class ExpiringToken : public ::testing::Test {
protected:
    ExpiringToken() {
        setup.clients = {{.groups = {GroupNo{1}}, .token_lifetime = 200s}};
        setup.gateways = {{.access = {}, .site = SiteNo{1}}};
        setup.relays = {{}};
        setup.resources = {{.address = *net::IpNetwork::parse("10.0.0.0/24"), .sites = {SiteNo{1}}, .filters = {}}};
        setup.policies = {{.group = GroupNo{1}, .resource = kResource}};
    }
    /// Of a packet to the resource, so long after the case began.
    [[nodiscard]] Expectation expectation_after(Duration time) const {
        Situation situation{setup};
        const auto start = [&](Device device, const Uuid& id) {
            const auto process = std::visit([](auto number) { return Process{number}; }, device);
            situation.observe(ProcessChanged{process, ProcessState::kRunning}, kCaseBegin);
            situation.observe(SessionOpened{device, id, {}}, kCaseBegin);
        };
        situation.observe(ProcessChanged{RelayNo{1}, ProcessState::kRunning}, kCaseBegin);
        start(kGateway, Uuid{{0x9a}});
        start(kClient, Uuid{{0xc1}});
        const portal_api::ToDevice init = portal_api::ToClient{portal_api::ClientInit{
            {*net::IpAddress::parse("100.64.0.1"), *net::IpAddress::parse("fd00:2021:1111::1"), {}, {}},
            {portal_api::ClientCidrResource{.id = resource_id(kResource, 0),
                                            .address = setup.resources[0].address,
                                            .sites = {{site_id(SiteNo{1}), "site1"}}}},
            {}}};
        situation.observe(MessageToDevice{kClient, init}, kCaseBegin);
        const auto packet = packet::make_udp(*net::SocketAddress::parse("100.64.0.1:1000"),
                                             *net::SocketAddress::parse("10.0.0.5:53"), {});
        return expect(situation, kClient, *read_packet(packet), kCaseBegin + time);
    }

    model::Setup setup;
};

TEST_F(ExpiringToken, ReachesUntilItIsOver) {
    EXPECT_EQ(expectation_after(199s).outcome, Outcome::kDelivered);
    EXPECT_EQ(expectation_after(200s).outcome, Outcome::kOpen);
}

TEST_F(ExpiringToken, ReachesUntilItIsAlmostOverByAClockThatIsAhead) {
    setup.gateways[0].clock_ahead = 60s;
    EXPECT_EQ(expectation_after(124s).outcome, Outcome::kDelivered);
    EXPECT_EQ(expectation_after(125s).excuse, Excuse::kWrongClock);
    EXPECT_EQ(expectation_after(199s).excuse, Excuse::kWrongClock) << "also shortly before it is over in truth";
}

TEST_F(ExpiringToken, ReachesUntilItIsOverInTruthWhereAClockIsBehind) {
    setup.gateways[0].clock_behind = 60s;
    EXPECT_EQ(expectation_after(199s).outcome, Outcome::kDelivered);
    EXPECT_EQ(expectation_after(200s).outcome, Outcome::kOpen);
}

}  // namespace
}  // namespace culvert::model
