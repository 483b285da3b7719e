#include "culvert/dns/stub_resolver.h"

#include "culvert/dns/stub_fixture.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;
using test::query;

class StubResolverTest : public StubFixture {
protected:
    StubResolverTest() { stub.add_resource(id(1), "app.example.com", IpStack::kDual); }
};

constexpr auto* kApp = "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4";

TEST_F(StubResolverTest, AnswersNamesOfResources) {
    ask("app.example.com");

    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].to, over_udp());
    EXPECT_EQ(take_answers(), kApp);
    EXPECT_TRUE(asks.empty());
    EXPECT_EQ(names, std::vector<std::string>{"app.example.com"});
    EXPECT_TRUE(stub.take_proxies_changed());
    EXPECT_EQ(stub.poll_timeout(), std::nullopt);
}

TEST_F(StubResolverTest, GivesNothingNewToANameAgain) {  // T13
    ask("app.example.com");
    EXPECT_TRUE(stub.take_proxies_changed());
    ask("app.example.com");
    EXPECT_FALSE(stub.take_proxies_changed());
    EXPECT_EQ(take_answers(), std::string{kApp} + ", " + kApp);
}

TEST_F(StubResolverTest, AnswersTheSameOverTcp) {
    ask(over_tcp(), query("app.example.com"));
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].to, over_tcp());
    EXPECT_EQ(take_answers(), kApp);
}

TEST_F(StubResolverTest, ReportsWhatIsNoQuery) {  // Q20, T4
    auto two_questions = query("app.example.com");
    two_questions[5] = std::byte{2};
    EXPECT_EQ(stub.handle_query(over_tcp(), two_questions, now).error(), MessageError::kNotOneQuestion);
    EXPECT_EQ(stub.handle_query(over_udp(), query("a.b", RecordType::kA, {.flags = 0x8100}), now).error(),
              MessageError::kWrongDirection);
    EXPECT_EQ(stub.handle_query(over_udp(), as_bytes("garbage"), now).error(), MessageError::kTooShort);
    EXPECT_EQ(stub.poll_output(), std::nullopt);
}

TEST_F(StubResolverTest, RefusesQueriesThatAreTooLong) {
    auto large = query("app.example.com");
    large.resize(kMaxQuery);
    ask(over_tcp(), large);
    EXPECT_EQ(take_answers(), kApp);
    large.resize(kMaxQuery + 1);
    ask(over_udp(), large);
    EXPECT_EQ(take_answers(), "");
    ask(over_tcp(), large);
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(StubResolverTest, IgnoresWhatWentToNoSentinel) {
    ask(over_udp("100.100.111.7"), query("app.example.com"));
    auto other_port = over_udp();
    other_port.asked.port = 5353;
    ask(other_port, query("app.example.com"));  // T7
    EXPECT_TRUE(answers.empty());
}

TEST_F(StubResolverTest, HasSentinelsForItsResolvers) {
    EXPECT_EQ(stub.sentinels().mappings().size(), 2U);
    EXPECT_FALSE(set_system({"192.0.2.2", "192.0.2.1"}));
    EXPECT_TRUE(set_system({"192.0.2.3"}));
    EXPECT_EQ(stub.sentinels().mappings()[0].sentinel, test::ip("100.100.111.3"));
    EXPECT_TRUE(set_system({}));
    EXPECT_TRUE(stub.sentinels().mappings().empty());
}

TEST_F(StubResolverTest, KnowsTheNamesOfTheSessionBefore) {  // T9, T10
    ask("app.example.com");
    const auto records = stub.proxies().records();
    StubResolver next{Rng::from_number(2)};
    EXPECT_EQ(next.restore(records), 0U);
    EXPECT_EQ(next.proxies().find(test::ip("100.96.0.3"))->domain().to_string(), "app.example.com");
    next.add_resource(id(1), "*.example.com", IpStack::kIpv4Only);
    next.set_resolvers({}, std::vector{test::ip("192.0.2.1")}, now);
    EXPECT_TRUE(next.handle_query(over_udp(), query("new.example.com"), now));
    EXPECT_EQ(test::summary(std::get<Answer>(*next.poll_output()).message),
              "NOERROR 100.96.0.5 100.96.0.6 100.96.0.7 100.96.0.8");
}

TEST_F(StubResolverTest, RemembersWhatUpstreamAnswered) {
    ask("www.example.org");
    respond(take_ask(), "198.51.100.7", 60);
    EXPECT_EQ(take_answers(), "NOERROR 198.51.100.7");
    now += 10s;

    ask(over_tcp(), query("WWW.example.org"));

    EXPECT_TRUE(asks.empty());
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(test::ttls(answers[0].message), std::vector<std::uint32_t>{50});
    EXPECT_TRUE(names.empty());
}

TEST_F(StubResolverTest, ForgetsAnswersWhenResourcesChange) {  // C7
    const auto fill = [&] {
        ask("x.example.org");
        respond(take_ask(), "198.51.100.7", 60);
        take_answers();
    };
    fill();
    stub.add_resource(id(2), "*.example.org", IpStack::kIpv4Only);
    ask("x.example.org");
    EXPECT_EQ(take_answers(), "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4");
    stub.remove_resource(id(2), now);
    fill();
    stub.remove_resource(id(1), now);
    ask("x.example.org");
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
}

TEST_F(StubResolverTest, ForgetsAnswersWhenResolversChange) {
    ask("www.example.org");
    respond(take_ask(), "198.51.100.7", 60);
    set_system({"192.0.2.3"});
    ask(over_udp("100.100.111.3"), query("www.example.org"));
    EXPECT_EQ(take_routes(), "host udp 192.0.2.3:53");
}

TEST_F(StubResolverTest, CutsRememberedAnswersToWhatTheAskerTakes) {
    ask(over_tcp(), query("big.example.org"));
    const auto asked = take_ask();
    stub.handle_response(
        asked.id,
        test::response(asked.message, std::vector<Record>(60, test::a_record("big.example.org", 60, "198.51.100.7"))),
        now);
    drain();
    answers.clear();
    const auto size_with = [&](std::optional<Edns> edns) {
        ask(over_udp(), query("big.example.org", RecordType::kA, {.edns = edns}));
        return std::exchange(answers, {}).at(0).message.size();
    };
    EXPECT_EQ(size_with(std::nullopt), 12U + 21U);
    EXPECT_EQ(size_with(Edns{.udp_size = 900}), 12U + 21U);
    EXPECT_EQ(size_with(Edns{.udp_size = 1232}), 12U + 21U + 60U * 16U);
}

TEST_F(StubResolverTest, AnswersLlmnrForResourcesOnly) {  // T16
    stub.add_resource(id(2), "intranet", IpStack::kIpv4Only);
    Requester from{.client = socket("100.64.0.1:40000"), .asked = socket("224.0.0.252:5355")};
    const auto ask_all = [&](std::string_view name, RecordType type = RecordType::kA) {
        stub.handle_llmnr(from, query(name, type, {.flags = 0}), now);
        drain();
    };
    ask_all("intranet");
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].to, from);
    EXPECT_EQ(take_answers(), "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4");
    EXPECT_EQ(names, std::vector<std::string>{"intranet"});

    ask_all("printer");
    ask_all("intranet", RecordType::kTxt);
    ask_all("use-application-dns.net");
    from.asked.port = 53;
    ask_all("intranet");
    stub.handle_llmnr(from, as_bytes("garbage"), now);
    drain();

    EXPECT_TRUE(answers.empty());
    EXPECT_TRUE(asks.empty());
    EXPECT_TRUE(sites.empty());
}

TEST_F(StubResolverTest, HasASnapshot) {
    ask("app.example.com");
    ask("www.example.org");
    Snapshot snapshot{now};
    stub.describe(snapshot);
    EXPECT_NE(snapshot.text().find("app.example.com"), std::string::npos);
    EXPECT_NE(snapshot.text().find("next_server=+2000000000ns"), std::string::npos) << snapshot.text();
}

}  // namespace
}  // namespace culvert::dns
