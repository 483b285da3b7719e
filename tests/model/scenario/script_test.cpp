#include "tests/model/scenario/script.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/choice/choice_source.h"
#include "tests/model/scenario/decode.h"

namespace culvert::model {
namespace {

using testing::HasSubstr;

// Two of everything that steps can speak about.
constexpr std::string_view kWorld =
    "case sites=2 groups=2\n"
    "client1 groups=group1\n"
    "client2 hostile\n"
    "gateway1 site1\n"
    "gateway2 site2\n"
    "relay1\n"
    "resource1 10.20.0.0/24 sites=site1,site2 filters=tcp:80-90,udp:53,icmp\n"
    "resource2 fd10::/120\n"
    "policy group1 resource1\n"
    "policy group2 resource1 disabled\n";

Scenario parsed(std::string_view steps) {
    auto scenario = parse_script(std::string{kWorld} + std::string{steps});
    EXPECT_TRUE(scenario) << scenario.error();
    return scenario.value_or(Scenario{});
}

std::string error_of(std::string_view script) {
    const auto scenario = parse_script(script);
    return scenario ? "no error" : scenario.error();
}

TEST(Script, ReadsWhatAPersonWrites) {
    const auto scenario = parse_script(
        "# A comment, and a line without words:\n"
        "\n"
        "case seed=42 portal-latency=50ms tail=10s\n"
        "client1 no-v6 nat=address,address-and-port,hairpins,timeout=60s latency=20ms groups=group1 driver=late\n"
        "gateway1 site1 lan=1 port=3478\t# with a tab\n"
        "resource1 10.20.0.0/24 sites=site1 filters=tcp:80-90,icmp\r\n"
        "policy group1 resource1\n"
        "t=2 probe client1 resource1:5 udp from=5555 to=443 count=3 every=100ms\n"
        "t=12.25 settle");
    ASSERT_TRUE(scenario) << scenario.error();

    EXPECT_EQ(scenario->setup.seed, 42U);
    EXPECT_EQ(scenario->setup.portal_latency, milliseconds{50});
    EXPECT_EQ(scenario->tail, seconds{10});
    const NatBox nat{.mapping = Dependence::kAddress, .hairpins = true, .idle_timeout = seconds{60}};
    const Access access{.has_v6 = false, .nat = nat, .latency = milliseconds{20}};
    EXPECT_EQ(scenario->setup.clients.at(0), (ClientSetup{.access = access, .driver = Driver::kLate, .groups = {{1}}}));
    EXPECT_EQ(scenario->setup.gateways.at(0), (GatewaySetup{.access = {.lan = 1, .port = 3478}}));
    using portal_api::FilterProtocol;
    EXPECT_EQ(scenario->setup.resources.at(0),
              (ResourceSetup{*net::IpNetwork::parse("10.20.0.0/24"),
                             {{1}},
                             {{FilterProtocol::kTcp, 80, 90}, {.protocol = FilterProtocol::kIcmp}}}));
    const Probe probe{.client = {1},
                      .to = HostOf{{1}, 5},
                      .protocol = Protocol::kUdp,
                      .source_port = 5555,
                      .destination_port = 443,
                      .count = 3,
                      .interval = milliseconds{100}};
    EXPECT_EQ(scenario->steps, (std::vector<Step>{{milliseconds{2000}, probe}, {milliseconds{12'250}, Settle{}}}));
}

TEST(Script, ReadsBackWhatItPrinted) {
    auto rng = Rng::from_number(1);
    for (int i = 0; i < 1000; ++i) {
        const auto bytes = ChoiceSource::random_bytes(rng, 600);
        const auto scenario = decode(bytes);
        const auto script = to_script(scenario);
        const auto again = parse_script(script);

        ASSERT_TRUE(again) << again.error() << '\n' << script;
        ASSERT_EQ(*again, scenario) << script;
    }
}

// What decode() draws does not reach every value of every field.
TEST(Script, ReadsBackEveryField) {
    const std::vector<std::string_view> steps{
        "probe client1 resource2:9 tcp from=2 to=3 count=4 every=5ms payload=6",
        "probe client2 gateway2:v6 icmp",
        "probe client2 resource2:1 udp source=lan class=185 ttl=1 no-checksum",
        "probe client2 client1:v4 icmp",
        "probe client2 fd00::1 udp",
        "expect client2 resource2:9 from=2 within=4s",
        "transfer client2 10.0.0.1 from=2 to=3 bytes=4 upload",
        "unsolicited gateway2 client2 resource2:3 count=4",
        "create-resource resource2",
        "delete-resource resource2",
        "set-address resource2 10.0.0.0/8",
        "set-filters resource2 filters=udp:5-6,icmp:7,tcp",
        "set-sites resource2 sites=site2,site1",
        "create-policy group2 resource2",
        "delete-policy group2 resource2",
        "set-policy-disabled group2 resource2 no",
        "join client2 group2",
        "leave client2 group2",
        "revoke-token relay1",
        "rename-site site2",
        "set-search-domain",
        "set-search-domain domain=corp.example",
        "start portal",
        "stop client2",
        "crash gateway2",
        "hang relay1 for=1ms",
        "suspend client2 for=90s",
        "roam client2 gap=1ms no-v4 no-v6 nat=address-and-port,independent,random-port,hairpins,"
        "only-outbound-refreshes,timeout=1s,maps-to-3478 lan=2 interfaces=3 latency=4ms port=5",
        "move gateway2 gap=1ms no-v4 no-v6 nat=address-and-port,independent,random-port,hairpins,"
        "only-outbound-refreshes,timeout=1s,maps-to-3478 lan=2 interfaces=3 latency=4ms port=5",
        "reset client2",
        "impair gateway2 only-down only-up loss=1 burst=2 duplicate=3 corrupt=4 delay=5ms jitter=6ms reorders rate=7 "
        "mtu=8 for=9ms",
        "block-direct client2 gateway2 for=1ms",
        "block-relay client2 relay1 for=1ms",
        "lose-family client2 v6 for=1ms",
        "reboot-nat client2",
        "renumber-nat client2",
        "replace-nat client2 address-and-port independent random-port hairpins only-outbound-refreshes timeout=1s "
        "maps-to-3478",
        "set-clock gateway2 ahead=1s behind=2s",
        "cut-portal client2 after=7",
        "portal-trouble client2 half-open for=1ms",
        "forge client2 gateway2 portal-garbage resource=resource2 victim=client2 count=3",
        "betray gateway2 client2 portal-garbage resource=resource2 victim=client2 count=3",
        "attack relay1 truncated count=3 forged-source",
        "abuse-relay relay1 repeated count=3",
        "deceive relay1 wrong-address for=1ms",
        "settle",
    };
    std::string script{kWorld};
    std::set<std::size_t> kinds;
    for (const auto& step : steps) {
        const auto line = "t=1.000 " + std::string{step} + '\n';
        kinds.insert(parsed(line).steps.at(0).action.index());
        script += line;
    }

    EXPECT_EQ(to_script(*parse_script(script)), script);
    EXPECT_EQ(kinds.size(), std::variant_size_v<Action>);
}

TEST(Script, LeavesDefaultsOut) {
    Scenario scenario;
    scenario.setup.clients.resize(1);
    scenario.setup.gateways.resize(1);
    scenario.steps.push_back({milliseconds{60'005}, Probe{.client = {1}, .to = TunnelOf{GatewayNo{1}}}});

    EXPECT_EQ(to_script(scenario),
              "case\n"
              "client1\n"
              "gateway1 site1\n"
              "t=60.005 probe client1 gateway1:v4 icmp\n");
}

TEST(Script, SaysWhichLineIsWrongAndWhy) {
    EXPECT_EQ(error_of("case\nclient2\n"), "line 2: expected client1 here");
    EXPECT_EQ(error_of("# nothing\nclown1\n"), "line 2: do not understand \"clown1\"");
    EXPECT_EQ(error_of("client1 groups=group2\n"), "line 1: there is no group2");
    EXPECT_EQ(error_of("client1 latency=fast\n"), "line 1: \"fast\" is no latency");
    EXPECT_EQ(error_of("client1 latency=1ms latency=2ms\n"), "line 1: do not understand \"latency=2ms\"");
    EXPECT_EQ(error_of("client1 nat=independent\n"), "line 1: \"independent\" is no nat");
    EXPECT_EQ(error_of("gateway1\n"), "line 1: site is missing");
    EXPECT_EQ(error_of("resource1 10.0.0.1/24\n"), "line 1: \"10.0.0.1/24\" is no address");
}

TEST(Script, SaysWhatIsWrongWithAStep) {
    const auto error = [](std::string_view steps) { return error_of(std::string{kWorld} + std::string{steps}); };

    EXPECT_EQ(error("t=1\n"), "line 11: action is missing");
    EXPECT_EQ(error("t=soon settle\n"), "line 11: \"t=soon\" is no time in seconds");
    EXPECT_EQ(error("t=1.2345 settle\n"), "line 11: \"t=1.2345\" is no time in seconds");
    EXPECT_EQ(error("t=1 dance\n"), "line 11: there is no action \"dance\"");
    EXPECT_EQ(error("t=1 probe client1 resource3:1 icmp\n"), "line 11: there is no resource3");
    EXPECT_EQ(error("t=1 probe client0 resource1:1 icmp\n"), "line 11: \"client0\" is no client");
    EXPECT_EQ(error("t=1 probe client1 resource1:1 icmp to=65536\n"), "line 11: \"65536\" is no to");
    EXPECT_EQ(error("t=1 settle\nt=0.999 settle\n"), "line 12: earlier than the step before");
    EXPECT_EQ(error("t=1 settle\nclient3\n"), "line 12: the setup ends where the steps begin");
    EXPECT_THAT(error("t=1 settle now\n"), HasSubstr("do not understand \"now\""));
}

}  // namespace
}  // namespace culvert::model
