#include "tests/model/reference/situation.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr GatewayNo kGateway{1};
constexpr RelayNo kRelay{1};
const Uuid kClientId{{0xc1}};
const Uuid kGatewayId{{0x9a}};
const ResourceId kResource = resource_id(ResourceNo{1}, 0);
const ResourceId kOtherResource = resource_id(ResourceNo{2}, 0);
const net::IpNetwork kNetwork = *net::IpNetwork::parse("10.0.0.0/24");

Setup make_setup() {
    Setup setup;
    setup.clients.resize(1);
    setup.gateways.resize(1);
    setup.relays.resize(1);
    setup.resources.resize(2);
    return setup;
}

/// A client that has two resources behind one gateway. Whatever began with the case was over long ago.
class GoodbyeTest : public ::testing::Test {
protected:
    void SetUp() override {
        start(kRelay, Uuid{{0x3e}});
        start(kGateway, kGatewayId);
        start_client();
        now += 60s;
    }
    template <typename Seen>
    void see(const Seen& seen) {
        situation.observe(seen, now);
    }
    void start(Device device, const Uuid& id) {
        see(ProcessChanged{std::visit([](auto number) { return Process{number}; }, device), ProcessState::kRunning});
        see(SessionOpened{device, id, {}});
    }
    void start_client() {
        start(kClient, kClientId);
        tell_client(portal_api::ClientInit{{}, {told(kResource), told(kOtherResource)}, {}});
        now += 1s;
    }
    void tell_client(portal_api::ToClient message) {
        const portal_api::ToDevice to_device = std::move(message);
        see(MessageToDevice{kClient, to_device});
    }
    void tell_gateway(portal_api::ToGateway message) {
        const portal_api::ToDevice to_device = std::move(message);
        see(MessageToDevice{kGateway, to_device});
    }
    static portal_api::ClientCidrResource told(const ResourceId& id) { return {.id = id, .address = kNetwork}; }

    void begin_flow(const ResourceId& resource) {
        const portal_api::FromDevice ask = portal_api::FromClient{portal_api::CreateFlow{resource, {}}};
        see(MessageToPortal{kClient, ask});
        portal_api::AuthorizeFlow authorize;
        authorize.client.id = ClientId{kClientId};
        authorize.resource = portal_api::GatewayCidrResource{resource, "lan", kNetwork, {}};
        tell_gateway(authorize);
        tell_client(portal_api::FlowCreated{.resource_id = resource, .gateway_id = GatewayId{kGatewayId}});
    }
    void answer() {
        auto payload = to_bytes(as_bytes(kMarker));
        append_be(payload, ++answers);
        const auto packet = packet::make_udp(*net::SocketAddress::parse("10.0.0.5:53"),
                                             *net::SocketAddress::parse("100.64.0.1:1000"), payload);
        see(PacketReturned{kGateway, packet});
        see(PacketDelivered{kClient, packet});
    }
    /// The client's process ends, and is started again. Whether it surely said goodbye to the gateway.
    bool says_goodbye() {
        see(ProcessChanged{kClient, ProcessState::kStopped});
        const bool is_sure = situation.goodbye_at(kClient, kGateway) == now;
        start_client();
        return is_sure;
    }

    Instant now = kCaseBegin;
    std::uint64_t answers = 0;
    Situation situation{make_setup()};
};

TEST_F(GoodbyeTest, IsSaidOverAConnectionThatWorks) {
    begin_flow(kResource);
    EXPECT_FALSE(says_goodbye()) << "nothing came through";
    begin_flow(kResource);
    answer();
    now += 160s;
    EXPECT_TRUE(says_goodbye());
}

TEST_F(GoodbyeTest, IsNotSureOnceTheSessionMayHaveEnded) {
    begin_flow(kResource);
    answer();
    now += 161s;
    EXPECT_FALSE(says_goodbye());
}

TEST_F(GoodbyeTest, IsNotSureAfterAFault) {
    const auto is_sure_after = [&](const Process& process) {
        begin_flow(kResource);
        answer();
        now += 1s;
        see(FaultChanged{"link", process, true});
        see(FaultChanged{"link", process, false});
        return says_goodbye();
    };
    EXPECT_FALSE(is_sure_after(kClient));
    EXPECT_FALSE(is_sure_after(kGateway));
    EXPECT_FALSE(is_sure_after(kRelay));
}

TEST_F(GoodbyeTest, NeedsAResourceAtTheClient) {
    begin_flow(kResource);
    answer();
    tell_client(portal_api::ResourceDeleted{kResource});
    EXPECT_FALSE(says_goodbye());
}

TEST_F(GoodbyeTest, NeedsAGrantAtTheGateway) {
    begin_flow(kResource);
    begin_flow(kOtherResource);
    answer();
    tell_gateway(portal_api::RejectAccess{ClientId{kClientId}, kResource});
    EXPECT_TRUE(says_goodbye()) << "one of two";
    begin_flow(kResource);
    answer();
    tell_gateway(portal_api::RejectAccess{ClientId{kClientId}, kResource});
    tell_gateway(portal_api::RejectAccess{ClientId{kClientId}, kOtherResource});
    EXPECT_FALSE(says_goodbye());
}

}  // namespace
}  // namespace culvert::model
