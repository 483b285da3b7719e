#include "tests/model/observer/judge.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "tests/model/scenario/ids.h"

// What the judge says about observations that nobody made: one honest client, a second one, a gateway and a resource.
namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr ClientNo kOther{2};
constexpr GatewayNo kGateway{1};
constexpr RelayNo kRelay{1};
constexpr ResourceNo kResource{1};

net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}
net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}

Bytes marked(std::uint64_t number) {
    auto payload = to_bytes(as_bytes(kMarker));
    append_be(payload, number);
    return payload;
}

Setup make_setup() {
    Setup setup;
    setup.clients = {{.groups = {GroupNo{1}}}, {.groups = {GroupNo{1}}}};
    setup.gateways = {{.access = {}, .site = SiteNo{1}}};
    setup.relays = {{}};
    setup.resources = {{.address = *net::IpNetwork::parse("10.0.0.0/24"),
                        .sites = {SiteNo{1}},
                        .filters = {{portal_api::FilterProtocol::kUdp, 53, 53}}}};
    setup.policies = {{.group = GroupNo{1}, .resource = kResource}};
    return setup;
}

class JudgeTest : public ::testing::Test {
protected:
    void SetUp() override {
        see(ProcessChanged{PortalNo{}, ProcessState::kRunning});
        start(kRelay, 9);
        start(kGateway, 8);
        start(kClient, 1);
        start(kOther, 2);
        tell(kGateway, portal_api::ToGateway{gateway_init()});
        tell(kClient, portal_api::ToClient{client_init("100.64.0.1")});
        tell(kOther, portal_api::ToClient{client_init("100.64.0.2")});
        now += 60s;
    }

    template <typename Seen>
    void see(const Seen& seen) {
        judge.observe(seen, now);
    }
    template <typename No>
    void start(No device, std::uint8_t id) {
        see(ProcessChanged{device, ProcessState::kRunning});
        see(SessionOpened{device, Uuid{{id}}, {}});
    }
    void tell(Device device, portal_api::ToDevice message) { see(MessageToDevice{device, message}); }
    void act(Action action) {
        const Step step{.at = 0ms, .action = std::move(action)};
        see(ActionTaken{step, true});
    }

    static portal_api::GatewayInit gateway_init() {
        portal_api::GatewayInit init;
        init.interface = {ip("100.64.0.9"), ip("fd00:2021:1111::9"), {}, {}};
        return init;
    }
    static portal_api::ClientInit client_init(std::string_view address) {
        return {{ip(address), ip("fd00:2021:1111::1"), {}, {}}, {resource_as_told()}, {}};
    }
    static portal_api::ClientCidrResource resource_as_told() {
        return {.id = resource_id(kResource, 0),
                .name = "resource1",
                .address = *net::IpNetwork::parse("10.0.0.0/24"),
                .address_description = {},
                .sites = {{site_id(SiteNo{1}), "site1"}},
                .filters = make_setup().resources[0].filters};
    }
    void grant(UnixSeconds expires_at = UnixSeconds::max()) {
        portal_api::AuthorizeFlow message;
        if (expires_at != UnixSeconds::max()) {
            message.expires_at = expires_at;
        }
        message.client.id = ClientId{Uuid{{1}}};
        message.resource =
            portal_api::GatewayCidrResource{resource_id(kResource, 0), "resource1",
                                            *net::IpNetwork::parse("10.0.0.0/24"), make_setup().resources[0].filters};
        tell(kGateway, portal_api::ToGateway{message});
    }
    void create_flow() {
        const portal_api::FromDevice ask =
            portal_api::FromClient{portal_api::CreateFlow{resource_id(kResource, 0), {}}};
        see(MessageToPortal{kClient, ask});
        portal_api::FlowCreated message;
        message.resource_id = resource_id(kResource, 0);
        message.gateway_id = GatewayId{Uuid{{8}}};
        message.site_id = site_id(SiteNo{1});
        tell(kClient, portal_api::ToClient{message});
    }

    Bytes request(std::uint64_t number, std::uint16_t port = 53) {
        return packet::make_udp(at("100.64.0.1:1000"), {ip("10.0.0.5"), port}, marked(number));
    }
    Bytes answer(std::uint64_t number) {
        return packet::make_udp(at("10.0.0.5:53"), at("100.64.0.1:1000"), marked(number));
    }
    /// There and back, as it should be.
    void exchange(std::uint64_t number) {
        see(PacketSubmitted{kClient, request(number)});
        see(PacketForwarded{kGateway, request(number)});
        see(PacketReturned{kGateway, answer(number)});
        see(PacketDelivered{kClient, answer(number)});
    }

    std::vector<std::string> violations() {
        const auto verdict = judge.finish(now);
        std::vector<std::string> ids;
        for (const auto& violation : verdict.violations()) {
            ids.push_back(violation.invariant);
        }
        std::ranges::sort(ids);
        const auto rest = std::ranges::unique(ids);
        ids.erase(rest.begin(), rest.end());
        return ids;
    }
    using Ids = std::vector<std::string>;
    Instant now = kCaseBegin;
    Judge judge{make_setup()};
};

TEST_F(JudgeTest, IsContentWithAnAnsweredProbe) {
    grant();
    create_flow();
    exchange(1);
    now += 10s;

    EXPECT_EQ(violations(), Ids{});
    EXPECT_EQ(judge.finish(now).features().at("probe delivered"), 1U);
}

TEST_F(JudgeTest, MissesAnAnswer) {
    see(PacketSubmitted{kClient, request(1)});
    now += 3s + 1ms;

    EXPECT_EQ(violations(), Ids{"LIV-1"});
}

TEST_F(JudgeTest, WaitsForAnAnswerUntilItsTimeIsUp) {
    see(PacketSubmitted{kClient, request(1)});
    now += 3s;

    EXPECT_EQ(violations(), Ids{});
}

TEST_F(JudgeTest, ExpectsNothingOfABrokenLink) {
    see(FaultChanged{"link", kGateway, true});
    see(PacketSubmitted{kClient, request(1)});
    now += 10s;

    EXPECT_EQ(violations(), Ids{});
    EXPECT_EQ(judge.finish(now).features().at("probe lost in a disturbed world"), 1U);
}

TEST_F(JudgeTest, BlamesALossAfterAFaultOnTheRuleOfItsRecovery) {
    see(FaultChanged{"direct", kClient, true});
    see(FaultChanged{"direct", kClient, false});
    now += kSettleTime;
    see(PacketSubmitted{kClient, request(1)});
    now += 4s;
    EXPECT_EQ(violations(), Ids{"LIV-3"});
}

TEST_F(JudgeTest, GivesWhoeverTriesTimeToNoticeThatAPathIsDead) {
    grant();
    create_flow();
    exchange(1);
    see(FaultChanged{"direct", kClient, true});
    see(FaultChanged{"direct", kClient, false});
    now += kSettleTime;
    for (const std::uint64_t number : {2, 3, 4}) {
        see(PacketSubmitted{kClient, request(number)});
        now += 10s;
    }
    EXPECT_EQ(violations(), Ids{});
    see(PacketSubmitted{kClient, request(5)});
    now += 4s;
    EXPECT_EQ(violations(), Ids{"LIV-3"});
}

TEST_F(JudgeTest, DemandsAnswersAtOnceWhereAnAnswerCameInTheCalm) {
    grant();
    create_flow();
    exchange(1);
    see(FaultChanged{"link", kClient, true});
    see(FaultChanged{"link", kClient, false});
    now += kSettleTime;
    exchange(2);
    see(PacketSubmitted{kClient, request(3)});
    now += 4s;
    EXPECT_EQ(violations(), Ids{"LIV-5"});
}

TEST_F(JudgeTest, DemandsARejectionOfWhatFiltersForbid) {
    grant();
    see(PacketSubmitted{kClient, request(1, 54)});
    now += 10s;
    EXPECT_EQ(violations(), Ids{"LIV-1"});

    const auto refused = request(2, 55);
    see(PacketSubmitted{kClient, refused});
    see(PacketDelivered{kClient,
                        packet::make_icmp(ip("10.0.0.5"), ip("100.64.0.1"), 3, 13, 0, ByteSpan{refused}.first(28))});
    now += 10s;
    EXPECT_EQ(judge.finish(now).features().at("probe rejected"), 1U);
}

TEST_F(JudgeTest, ForbidsWhatNobodyGranted) {
    see(PacketSubmitted{kClient, request(1)});
    see(PacketForwarded{kGateway, request(1)});

    EXPECT_EQ(violations(), Ids{"SEC-1"});
}

TEST_F(JudgeTest, ForbidsWhatHasExpired) {
    grant(std::chrono::floor<std::chrono::seconds>(wall_time(now)) + 10s);
    create_flow();
    exchange(1);
    now += 9s;
    exchange(2);
    EXPECT_EQ(violations(), Ids{});

    now += 3s;
    see(FaultChanged{"portal", kGateway, true});
    see(PacketSubmitted{kClient, request(3)});
    see(PacketForwarded{kGateway, request(3)});
    EXPECT_EQ(violations(), Ids{"SEC-2"});
}

TEST_F(JudgeTest, GivesAGatewayASecondToSeeThatItsClockWasSet) {
    grant(std::chrono::floor<std::chrono::seconds>(wall_time(now)) + 60s);
    create_flow();
    exchange(1);
    act(SetClock{.gateway = kGateway, .ahead = 600s});
    now += 1s;
    exchange(2);
    EXPECT_EQ(violations(), Ids{});

    now += 1s;
    see(PacketSubmitted{kClient, request(3)});
    see(PacketForwarded{kGateway, request(3)});
    EXPECT_EQ(violations(), Ids{"SEC-2"});
}

TEST_F(JudgeTest, GivesARevocationTwoSecondsAtTheGateway) {
    grant();
    create_flow();
    act(DeletePolicy{GroupNo{1}, kResource});
    tell(kGateway, portal_api::ToGateway{portal_api::RejectAccess{ClientId{Uuid{{1}}}, resource_id(kResource, 0)}});
    now += 2s;
    exchange(1);
    EXPECT_EQ(violations(), Ids{});

    now += 3s;
    see(PacketSubmitted{kClient, request(2)});
    see(PacketForwarded{kGateway, request(2)});
    EXPECT_EQ(std::ranges::count(violations(), "SEC-2"), 1);
}

TEST_F(JudgeTest, KnowsWhenAGatewayWasNotToldInTime) {
    grant();
    act(DeletePolicy{GroupNo{1}, kResource});
    for (const auto client : {kClient, kOther}) {
        tell(client, portal_api::ToClient{portal_api::ResourceDeleted{resource_id(kResource, 0)}});
    }
    now += 5s;
    see(PacketForwarded{kGateway, packet::make_udp(at("100.64.0.1:1"), at("10.0.0.5:53"), Bytes(4))});

    EXPECT_EQ(violations(), Ids{"SEC-2"});
}

TEST_F(JudgeTest, KeepsClientsApart) {
    grant();
    exchange(1);
    see(PacketDelivered{kOther, packet::make_udp(at("10.0.0.5:53"), at("100.64.0.2:1000"), marked(1))});
    EXPECT_EQ(violations(), (Ids{"SEC-11", "SEC-4"})) << "and it asked for nothing";
}

TEST_F(JudgeTest, ForbidsAnswersToNothing) {
    grant();
    create_flow();
    exchange(1);
    EXPECT_EQ(violations(), Ids{});
    see(PacketDelivered{kClient, packet::make_udp(at("10.0.0.5:53"), at("100.64.0.1:1001"), Bytes(8))});
    EXPECT_EQ(violations(), Ids{"SEC-11"});
}

TEST_F(JudgeTest, KnowsWhoseAddressAPacketIsFor) {
    grant();
    exchange(1);
    see(PacketDelivered{kOther, answer(1)});

    EXPECT_EQ(std::ranges::count(violations(), "SEC-3"), 1);
}

TEST_F(JudgeTest, FindsApplicationBytesOnTheWire) {
    see(DatagramSent{kClient, at("198.18.0.1:1"), at("198.18.0.2:2"), net::Ecn::kNotEct, request(1)});

    EXPECT_EQ(violations(), Ids{"SEC-6"});
}

TEST_F(JudgeTest, CountsDuplicates) {
    grant();
    exchange(1);
    see(PacketForwarded{kGateway, request(1)});

    EXPECT_EQ(violations(), Ids{"CON-2"});
}

TEST_F(JudgeTest, SeesPacketsOvertakeEachOther) {
    grant();
    see(PacketSubmitted{kClient, request(1)});
    see(PacketSubmitted{kClient, request(2)});
    see(PacketForwarded{kGateway, request(2)});
    see(PacketForwarded{kGateway, request(1)});

    EXPECT_EQ(violations(), Ids{"CON-3"});
}

TEST_F(JudgeTest, SeesChangedAndBrokenPackets) {
    grant();
    see(PacketSubmitted{kClient, request(1)});
    auto changed = request(1);
    changed[8] = std::byte{63};  // the time to live
    see(PacketForwarded{kGateway, changed});

    EXPECT_EQ(violations(), (Ids{"CON-6", "PRO-3"}));
}

TEST_F(JudgeTest, ExpectsMarksOnlyFromLinksThatWereCongestedThen) {
    grant();
    create_flow();
    const auto arrives_marked = [&](std::uint64_t number) {
        const auto request_with = [&](net::Ecn ecn) {
            return packet::make_udp(at("100.64.0.1:1000"), at("10.0.0.5:53"), marked(number), {.ecn = ecn});
        };
        see(PacketSubmitted{kClient, request_with(net::Ecn::kEct0)});
        see(PacketForwarded{kGateway, request_with(net::Ecn::kCe)});
        return violations();
    };
    const auto congest = [&](Device device) {
        Impairment impairment;
        impairment.congestion = 500;
        act(ImpairLink{.device = device, .impairment = impairment});
    };
    congest(kGateway);
    EXPECT_EQ(arrives_marked(1), Ids{});
    see(FaultChanged{"link", kGateway, false});
    now += 1s;
    congest(kOther);
    EXPECT_EQ(arrives_marked(2), Ids{"CON-6"});
}

TEST_F(JudgeTest, AsksThatClientsRequestOnlyWhatTheyHave) {
    see(MessageToPortal{kClient, portal_api::FromClient{portal_api::CreateFlow{resource_id(kResource, 0), {}}}});
    EXPECT_EQ(violations(), Ids{});

    see(MessageToPortal{kClient, portal_api::FromClient{portal_api::CreateFlow{resource_id(ResourceNo{7}, 0), {}}}});
    EXPECT_EQ(violations(), Ids{"SEC-7"});
}

TEST_F(JudgeTest, ExpectsChangesToBeToldWithinTwoSeconds) {
    act(SetAddress{kResource, *net::IpNetwork::parse("10.9.0.0/24")});
    now += 2s + 1ms;

    EXPECT_EQ(violations(), Ids{"LIV-9"});
}

TEST_F(JudgeTest, WantsDevicesToKeepTheirKeysWhenTheyMove) {
    const auto come_back = [&](Device device, int number) {
        crypto::PublicKey key;
        key.bytes[0] = static_cast<std::byte>(number);
        now += 2s;
        see(SessionOpened{device, Uuid{{1}}, key});
    };
    const auto stand_still = [&](Device device, Duration time) {
        see(ProcessChanged{as_process(device), ProcessState::kSuspended});
        now += time;
        see(ProcessChanged{as_process(device), ProcessState::kRunning});
    };
    come_back(kClient, 0);
    come_back(kGateway, 0);
    act(Move{.device = kGateway, .access = {}, .gap = 20s});
    come_back(kGateway, 0);
    act(Move{.device = kClient, .access = {}, .gap = 20s});
    come_back(kClient, 1);
    act(Reset{kClient});
    come_back(kClient, 2);
    stand_still(kClient, 20s);
    come_back(kClient, 3);
    see(ProcessChanged{kGateway, ProcessState::kStopped});
    see(ProcessChanged{kGateway, ProcessState::kRunning});
    come_back(kGateway, 4);
    EXPECT_EQ(violations(), Ids{});

    act(Move{.device = kClient, .access = {}, .gap = 10s});
    stand_still(kClient, 10s);
    come_back(kClient, 4);
    EXPECT_EQ(violations(), Ids{"STA-5"});
}

TEST_F(JudgeTest, RefusesEventsWithoutChange) {
    const std::vector<tunnel::ResourceView> none;
    see(ResourcesListed{kClient, none});
    EXPECT_EQ(violations(), Ids{});
    see(ResourcesListed{kClient, none});

    EXPECT_EQ(violations(), Ids{"STA-2"});
}

TEST_F(JudgeTest, ComparesWhatIsShownOnceAllIsQuiet) {
    see(Settled{});

    EXPECT_EQ(violations(), Ids{"STA-1"});
}

TEST_F(JudgeTest, ReadsTheLogs) {
    const std::vector<log::TextField> no_fields;
    see(LogLine{kClient, log::Level::kInfo, "tunnel", "all is well", no_fields});
    EXPECT_EQ(violations(), Ids{});
    see(FaultChanged{"link", kClient, true});
    see(LogLine{kClient, log::Level::kWarn, "tunnel", "something is odd", no_fields});
    EXPECT_EQ(violations(), Ids{});
    see(LogLine{kClient, log::Level::kError, "tunnel", "something is broken", no_fields});
    EXPECT_EQ(violations(), Ids{"RES-4"});

    create_flow();
    const auto secret = to_hex(portal_api::FlowCreated{}.preshared_key.reveal());
    see(LogLine{kClient, log::Level::kInfo, "tunnel", secret, no_fields});
    EXPECT_EQ(violations(), (Ids{"RES-4", "SEC-8"}));
}

TEST_F(JudgeTest, WantsNobodyWokenInTheCalm) {
    const std::vector<log::TextField> no_fields;
    see(LogLine{kClient, log::Level::kWarn, "wireguard", "something is odd", no_fields});

    EXPECT_EQ(violations(), Ids{"RES-4"});
}

}  // namespace
}  // namespace culvert::model
