#include "tests/model/observer/agreement_checks.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

Setup make_setup(std::optional<seconds> token_lifetime) {
    Setup setup;
    setup.clients.resize(1);
    setup.clients[0].token_lifetime = token_lifetime;
    setup.gateways.resize(1);
    setup.resources.resize(1);
    return setup;
}

/// A client and a gateway whose states agree, after an answer went from one to the other.
class AgreementTest : public testing::Test {
protected:
    explicit AgreementTest(std::optional<seconds> token_lifetime = {})
        : situation{make_setup(token_lifetime)}, checks{situation, verdict} {
        see(SessionOpened{kClient, kClientId, {}});
        see(SessionOpened{kGateway, kGatewayId, {}});
        authorize();
        list_resource();
        create_flow();
    }

    void see(const Observation& observation) {
        situation.observe(observation, now);
        checks.observe(observation, now);
    }
    void authorize() {
        portal_api::AuthorizeFlow flow;
        flow.client.id = ClientId{kClientId};
        flow.resource = portal_api::GatewayCidrResource{kResource, "lan", kNetwork, {}};
        see(MessageToDevice{kGateway, portal_api::ToGateway{flow}});
    }
    void create_flow() {
        const portal_api::FromDevice ask = portal_api::FromClient{portal_api::CreateFlow{kResource, {}}};
        see(MessageToPortal{kClient, ask});
        portal_api::FlowCreated created;
        created.resource_id = kResource;
        created.gateway_id = GatewayId{kGatewayId};
        see(MessageToDevice{kClient, portal_api::ToClient{created}});
    }
    void list_resource() {
        const portal_api::ClientCidrResource resource{.id = kResource, .address = kNetwork};
        see(MessageToDevice{kClient, portal_api::ToClient{portal_api::ClientInit{{}, {resource}, {}}}});
    }
    void exchange() {
        auto payload = to_bytes(as_bytes(kMarker));
        append_be(payload, std::uint64_t{7});
        const auto answer = packet::make_udp(*net::SocketAddress::parse("10.0.0.5:53"),
                                             *net::SocketAddress::parse("100.64.0.1:1000"), payload);
        see(PacketReturned{kGateway, answer});
        see(PacketDelivered{kClient, answer});
    }
    /// One end of their connection.
    [[nodiscard]] static connectivity::ConnectionStates connection(const Uuid& peer, std::string_view local,
                                                                   std::string_view remote, std::string_view key,
                                                                   std::uint32_t local_index,
                                                                   std::uint32_t peer_index) {
        wireguard::SessionState session{};
        session.local_index = local_index;
        session.peer_index = peer_index;
        session.is_current = true;
        connectivity::ConnectionState state;
        state.local_ufrag = local;
        state.remote_ufrag = remote;
        state.tunnel.preshared_key = key;
        state.tunnel.sessions = {session};
        return {{peer, state}};
    }
    [[nodiscard]] tunnel::ClientState client_state() const {
        return {{{kResource, GatewayId{kGatewayId}}}, connection(kGatewayId, "c", "g", psk, 1, 2)};
    }
    [[nodiscard]] tunnel::GatewayState gateway_state() const {
        return {{{ClientId{kClientId}, granted}}, connection(kClientId, "g", "c", "k", 2, session)};
    }
    std::vector<std::string> complaints() {
        see(Settled{});
        exchange();
        const std::map<Device, DeviceState> states{{kClient, client_state()}, {kGateway, gateway_state()}};
        see(StatesShown{states});
        std::vector<std::string> texts;
        for (const auto& violation : verdict.violations()) {
            EXPECT_EQ(violation.invariant, "STA-4");
            texts.push_back(violation.text);
        }
        return texts;
    }

    using Texts = std::vector<std::string>;
    static constexpr ClientNo kClient{1};
    static constexpr GatewayNo kGateway{1};
    static inline const Uuid kClientId{{0xc1}};
    static inline const Uuid kGatewayId{{0x9a}};
    static inline const ResourceId kResource = resource_id(ResourceNo{1}, 0);
    static inline const net::IpNetwork kNetwork = *net::IpNetwork::parse("10.0.0.0/24");
    Instant now = kCaseBegin;
    std::string psk = "k";
    std::uint32_t session = 1;
    tunnel::GrantStates granted{{kResource, std::nullopt}};
    Situation situation;
    Verdict verdict;
    AgreementChecks checks;
};

struct ExpiredAgreementTest : AgreementTest {
    ExpiredAgreementTest() : AgreementTest{seconds{1}} {}
};

TEST_F(ExpiredAgreementTest, DoesNotCompareConnectionsThatEnd) {
    psk = "other";

    EXPECT_EQ(complaints(), Texts{});
}

TEST_F(AgreementTest, IsContentWithStatesThatMatch) {
    EXPECT_EQ(complaints(), Texts{});
    EXPECT_GE(verdict.checks().at("STA-4"), 6U);
}

TEST_F(AgreementTest, ComparesKeys) {
    psk = "other";

    EXPECT_EQ(complaints(), Texts{"keys or credentials differ between client1 and gateway1"});
}

TEST_F(AgreementTest, ComparesSessions) {
    session = 3;

    EXPECT_EQ(complaints(), Texts{"the client's session is not known to both between client1 and gateway1"});
}

TEST_F(AgreementTest, ComparesGrantsWithWhatIsUsed) {
    granted.clear();

    EXPECT_EQ(complaints().back(), "gateway1 does not grant " + kResource.to_string() + ", for which client1 uses it");
}

TEST_F(AgreementTest, ComparesGrantsWithWhatWasTold) {
    const auto other = resource_id(ResourceNo{2}, 0);
    granted.emplace(other, std::nullopt);

    EXPECT_EQ(complaints(), Texts{"gateway1 grants client " + kClientId.to_string() + " " + other.to_string() +
                                  " without having been told to"});
}

TEST_F(AgreementTest, FindsAGatewayThatTheClientWasNotGiven) {
    portal_api::ResourceDeleted message{kResource};
    see(MessageToDevice{kClient, portal_api::ToClient{message}});

    EXPECT_EQ(complaints(),
              Texts{"client1 reaches " + kResource.to_string() + " through a gateway that it was not given"});
}

TEST_F(AgreementTest, FindsAGatewayThatAnEarlierRunOfTheClientWasGiven) {
    see(ProcessChanged{kClient, ProcessState::kStopped});
    list_resource();

    EXPECT_EQ(complaints(),
              Texts{"client1 reaches " + kResource.to_string() + " through a gateway that it was not given"});
}

/// A client that has left the gateway, which still shows its grant.
class GoodbyeTest : public AgreementTest {
protected:
    GoodbyeTest() {
        see(ProcessChanged{kClient, ProcessState::kRunning});
        see(ProcessChanged{kGateway, ProcessState::kRunning});
        now += 60s;
        exchange();
    }
    void leave(bool is_crash) { see(ProcessChanged{kClient, ProcessState::kStopped, is_crash}); }
    [[nodiscard]] std::vector<std::string> complaints_after(Duration wait) {
        now += wait;
        const std::map<Device, DeviceState> states{{kGateway, gateway_state()}};
        see(StatesShown{states});
        std::vector<std::string> texts;
        for (const auto& violation : verdict.violations()) {
            texts.push_back(violation.invariant + ' ' + violation.text);
        }
        return texts;
    }
};

TEST_F(GoodbyeTest, EndsWhatWasGranted) {
    leave(false);

    EXPECT_EQ(complaints_after(9s), Texts{});
    EXPECT_EQ(complaints_after(1s), Texts{"RES-2 gateway1 still grants client1 what it did before its goodbye"});
}

TEST_F(GoodbyeTest, IsNotHeardFromAClientThatCrashed) {
    leave(true);

    EXPECT_EQ(complaints_after(60s), Texts{});
}

TEST_F(GoodbyeTest, IsLostWithAGatewayThatSleeps) {
    leave(false);
    see(ProcessChanged{kGateway, ProcessState::kSuspended});
    now += 1s;
    see(ProcessChanged{kGateway, ProcessState::kRunning});

    EXPECT_EQ(complaints_after(60s), Texts{});
}

TEST_F(GoodbyeTest, MayBeLostBetweenTwoDependentNats) {
    const Access access{.nat = NatBox{.mapping = Dependence::kAddress}};
    see(HostAttached{kGateway, {}, access});
    see(HostAttached{kClient, {}, access});
    create_flow();
    exchange();
    leave(false);

    EXPECT_EQ(complaints_after(60s), Texts{});
}

TEST_F(GoodbyeTest, IsNotLostInOneDependentNat) {
    const Access access{.nat = NatBox{.mapping = Dependence::kAddress}};
    see(HostAttached{kGateway, {}, access});
    leave(false);

    EXPECT_EQ(complaints_after(60s).size(), 1U);
}

TEST_F(GoodbyeTest, MayBeOvertakenByWhatIsGrantedNext) {
    leave(false);
    now += 5s;
    authorize();

    EXPECT_EQ(complaints_after(60s), Texts{});
}

TEST_F(GoodbyeTest, LeavesAloneWhatIsGrantedLater) {
    leave(false);
    now += 20s;
    authorize();

    EXPECT_EQ(complaints_after(60s), Texts{});
    EXPECT_EQ(verdict.checks().count("RES-2"), 1U);
}

}  // namespace
}  // namespace culvert::model
