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
constexpr std::string_view kReason = "portal was out of reach while a connection began";

Setup make_setup() {
    Setup setup;
    setup.clients.resize(1);
    setup.gateways.resize(1);
    setup.relays.resize(1);
    setup.resources.resize(2);
    return setup;
}

/// A client that has two resources behind one gateway. Whatever began with the case was over long ago.
class NewConnectionTest : public ::testing::Test {
protected:
    void SetUp() override {
        start(kRelay, Uuid{{0x3e}});
        start(kGateway, kGatewayId);
        start(kClient, kClientId);
        tell_client(portal_api::ClientInit{{}, {told(kResource), told(kOtherResource)}, {}});
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
    void begin_flow_amid_trouble(const ResourceId& resource) {
        see(FaultChanged{"portal", kGateway, true});
        begin_flow(resource);
        see(FaultChanged{"portal", kGateway, false});
    }
    void answer() {
        auto payload = to_bytes(as_bytes(kMarker));
        append_be(payload, ++answers);
        const auto packet = packet::make_udp(*net::SocketAddress::parse("10.0.0.5:53"),
                                             *net::SocketAddress::parse("100.64.0.1:1000"), payload);
        see(PacketReturned{kGateway, packet});
        see(PacketDelivered{kClient, packet});
    }
    /// Why a packet that is sent now may be lost.
    [[nodiscard]] std::string_view reason() const {
        const auto excuse = situation.faults().data_path(kClient, kGateway, now, now);
        return excuse ? excuse->reason : "";
    }

    Instant now = kCaseBegin;
    std::uint64_t answers = 0;
    Situation situation{make_setup()};
};

TEST_F(NewConnectionTest, MayFailIfThePortalWasInTrouble) {
    begin_flow_amid_trouble(kResource);
    now += 25s;
    EXPECT_EQ(reason(), kReason);
    now += 1ms;
    EXPECT_EQ(reason(), "");
}

TEST_F(NewConnectionTest, MayNotFailOtherwise) {
    begin_flow(kResource);
    EXPECT_EQ(reason(), "");
}

TEST_F(NewConnectionTest, IsMadeOnceAnAnswerCameThrough) {
    begin_flow_amid_trouble(kResource);
    now += 1s;
    EXPECT_EQ(reason(), kReason);
    answer();
    now += 1ms;
    EXPECT_EQ(reason(), "");
}

TEST_F(NewConnectionTest, IsNotWhatAFurtherFlowNeeds) {
    begin_flow(kResource);
    answer();
    now += 300s;
    begin_flow_amid_trouble(kOtherResource);
    EXPECT_EQ(reason(), "");
}

TEST_F(NewConnectionTest, IsNeededIfTheOldOneWasNeverSeenToWork) {
    begin_flow(kResource);
    now += 60s;
    begin_flow_amid_trouble(kOtherResource);
    EXPECT_EQ(reason(), kReason);
}

TEST_F(NewConnectionTest, IsNeededAfterAFault) {
    const auto broken_by = [&](const Process& process) {
        begin_flow(kResource);
        answer();
        see(FaultChanged{"link", process, true});
        see(FaultChanged{"link", process, false});
        now += 60s;
        begin_flow_amid_trouble(kOtherResource);
        return reason();
    };
    EXPECT_EQ(broken_by(kClient), kReason);
    EXPECT_EQ(broken_by(kGateway), kReason);
    EXPECT_EQ(broken_by(kRelay), kReason);
}

TEST_F(NewConnectionTest, IsNeededAfterTheClientHasLostItsLastResource) {
    begin_flow(kResource);
    answer();
    tell_client(portal_api::ResourceDeleted{kResource});
    now += 60s;
    begin_flow_amid_trouble(kOtherResource);
    EXPECT_EQ(reason(), kReason);
}

TEST_F(NewConnectionTest, IsNeededAfterTheGatewayHasLostItsLastGrant) {
    begin_flow(kResource);
    answer();
    tell_gateway(portal_api::RejectAccess{ClientId{kClientId}, kResource});
    now += 60s;
    begin_flow_amid_trouble(kOtherResource);
    EXPECT_EQ(reason(), kReason);
}

TEST_F(NewConnectionTest, IsNotNeededAfterOneOfSeveralGrantsIsGone) {
    begin_flow(kResource);
    begin_flow(kOtherResource);
    answer();
    tell_gateway(portal_api::RejectAccess{ClientId{kClientId}, kResource});
    now += 60s;
    begin_flow_amid_trouble(kResource);
    EXPECT_EQ(reason(), "");
}

}  // namespace
}  // namespace culvert::model
