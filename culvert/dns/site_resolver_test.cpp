#include "culvert/dns/site_resolver.h"

#include <set>

#include <gtest/gtest.h>

#include "culvert/base/overloaded.h"
#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;
using test::ip;
using test::query;

class SiteResolverTest : public testing::Test {
protected:
    SiteResolverTest() { drain(); }

    static Requester from(std::string_view client, Transport transport = Transport::kUdp) {
        return {.client = {ip(client), 40'000},
                .asked = {ip("100.64.0.2"), kGatewayDnsPort},
                .transport = transport,
                .connection = 1};
    }
    void ask(std::string_view name, Transport transport = Transport::kUdp, std::string_view client = "100.64.0.1") {
        EXPECT_TRUE(resolver.handle_query(from(client, transport), query(name, RecordType::kTxt, {.id = 7}), now));
        drain();
    }
    void drain() {
        while (auto output = resolver.poll_output()) {
            std::visit(overloaded{[&](Answer& answer) { answers.push_back(std::move(answer)); },
                                  [&](Ask& asked) { asks.push_back(std::move(asked)); },
                                  [&](const StopAsking& stop) { stopped.insert(stop.id); },
                                  [](const ConnectSite&) { FAIL(); }, [](const NameAnswered&) { FAIL(); }},
                       *output);
        }
    }
    Ask take_ask() {
        auto first = asks.at(0);
        asks.erase(asks.begin());
        return first;
    }
    static net::IpAddress server_of(const Ask& asked) { return std::get<ViaHost>(asked.route).server.ip; }
    void respond(const Ask& asked, const std::vector<Record>& records = {}, std::uint16_t flags = 0x8180) {
        resolver.handle_response(asked.id, test::response(asked.message, records, flags), now);
        drain();
    }
    /// Answers what was asked to compare nameservers, if it went to `server`.
    void answer_probes(std::string_view server, std::uint16_t flags = 0x8180) {
        for (const auto& asked : asks) {
            if (server_of(asked) == ip(server)) {
                respond(asked, {}, flags);
            }
        }
    }
    void pass(Duration duration) {
        const auto end = now + duration;
        for (auto next = resolver.poll_timeout(); *next <= end; next = resolver.poll_timeout()) {
            now = *next;
            resolver.handle_timeout(now);
            drain();
        }
        now = end;
        contract::expect_spurious_timeout_is_invisible(resolver, now);
    }
    std::string take_answers() {
        std::string text;
        for (const auto& answer : std::exchange(answers, {})) {
            text += (text.empty() ? "" : ", ") + test::summary(answer.message);
        }
        return text;
    }
    /// With 10.0.0.1 chosen.
    void choose() {
        answer_probes("10.0.0.1");
        pass(2s);
        asks.clear();
    }

    Instant now{};
    std::vector<Answer> answers;
    std::vector<Ask> asks;
    std::set<AskId> stopped;
    SiteResolver resolver{{ip("10.0.0.1"), ip("10.0.0.2")}, test::name("probe.example"), Rng::from_number(1), now};
};

TEST_F(SiteResolverTest, ComparesItsNameserversOverBothTransports) {
    ASSERT_EQ(asks.size(), 4U);
    EXPECT_EQ(Message::parse_query(asks[0].message)->question().name, test::name("probe.example"));
    EXPECT_EQ(asks[0].transport, Transport::kUdp);
    EXPECT_EQ(asks[1].transport, Transport::kTcp);
    EXPECT_EQ(resolver.nameserver(), std::nullopt);
    now += 10ms;
    answer_probes("10.0.0.2");
    now += 10ms;
    answer_probes("10.0.0.1");
    EXPECT_EQ(resolver.nameserver(), ip("10.0.0.2"));
    EXPECT_EQ(stopped.size(), 4U);
}

TEST_F(SiteResolverTest, TakesANameserverThatKnowsNothingOnlyIfNobodyKnowsMore) {
    answer_probes("10.0.0.1", 0x8183);
    EXPECT_EQ(resolver.nameserver(), ip("10.0.0.1"));
    now += 1s;
    answer_probes("10.0.0.2");
    EXPECT_EQ(resolver.nameserver(), ip("10.0.0.2"));
}

TEST_F(SiteResolverTest, ForgetsANameserverThatDied) {
    choose();
    EXPECT_EQ(resolver.nameserver(), ip("10.0.0.1"));
    pass(58s);
    ASSERT_EQ(asks.size(), 4U);
    EXPECT_EQ(resolver.nameserver(), ip("10.0.0.1"));  // until something better is known
    now += 1s;
    answer_probes("10.0.0.2");
    EXPECT_EQ(resolver.nameserver(), ip("10.0.0.2"));
    asks.clear();
    pass(65s);
    EXPECT_EQ(resolver.nameserver(), std::nullopt);
}

TEST_F(SiteResolverTest, LetsClientsChangeNothingAndHaveNoZones) {
    choose();
    constexpr std::uint16_t kUpdate = 5U << 11U;
    const auto answer_to = [&](const Bytes& message) {
        EXPECT_TRUE(resolver.handle_query(from("100.64.0.1", Transport::kTcp), message, now));
        drain();
        EXPECT_TRUE(asks.empty());
        const auto all = std::exchange(answers, {});
        return all.empty() ? ResponseCode::kNoError : Message::parse_response(all[0].message)->response_code();
    };

    EXPECT_EQ(answer_to(query("corp.example", RecordType::kSoa, {.flags = kUpdate})), ResponseCode::kNotImp);
    EXPECT_EQ(answer_to(query("corp.example", RecordType::kAxfr)), ResponseCode::kRefused);
    EXPECT_EQ(answer_to(query("corp.example", RecordType::kIxfr)), ResponseCode::kRefused);
}

TEST_F(SiteResolverTest, PassesQueriesOn) {
    choose();
    for (const auto transport : {Transport::kUdp, Transport::kTcp}) {
        ask("_cfg.corp.example", transport);
        const auto asked = take_ask();
        EXPECT_EQ(server_of(asked), ip("10.0.0.1"));
        EXPECT_EQ(asked.transport, transport);
        EXPECT_EQ(with_id(asked.message, 7), query("_cfg.corp.example", RecordType::kTxt, {.id = 7}));
        respond(asked);
        ASSERT_EQ(answers.size(), 1U);
        EXPECT_EQ(answers[0].to, from("100.64.0.1", transport));
        EXPECT_EQ(Message::parse_response(answers[0].message)->id(), 7);
        EXPECT_EQ(take_answers(), "NOERROR");
    }
}

TEST_F(SiteResolverTest, FailsWithoutNameserver) {  // G4
    ask("_cfg.corp.example");
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(SiteResolverTest, AnswersEveryFailureAndSilence) {
    choose();
    ask("a.corp.example");
    resolver.handle_failure(take_ask().id);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL");
    ask("b.corp.example");
    pass(5s - 1ns);
    EXPECT_EQ(take_answers(), "");
    pass(1ns);
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(SiteResolverTest, CutsLongAnswers) {  // G5
    choose();
    ask("_cfg.corp.example");
    respond(take_ask(), std::vector<Record>(40, test::a_record("_cfg.corp.example", 60, "192.0.2.1")));
    EXPECT_EQ(take_answers(), "NOERROR TC");
}

TEST_F(SiteResolverTest, IgnoresWhatIsNoAnswer) {
    choose();
    ask("a.corp.example");
    const auto asked = take_ask();
    const auto id = Message::parse_query(asked.message)->id();
    resolver.handle_response(asked.id, as_bytes("garbage"), now);
    resolver.handle_response(asked.id, with_id(test::response(asked.message, {}), static_cast<MessageId>(id + 1)), now);
    resolver.handle_response(asked.id, test::response(query("b.corp.example", RecordType::kTxt, {.id = id}), {}), now);
    drain();
    EXPECT_EQ(take_answers(), "");
    respond(asked);
    EXPECT_EQ(take_answers(), "NOERROR");
    EXPECT_FALSE(resolver.handle_query(from("100.64.0.1"), as_bytes("garbage"), now));
}

TEST_F(SiteResolverTest, LeavesRoomForOtherClients) {
    choose();
    for (std::size_t i = 0; i < kSiteQueriesPerClient; ++i) {
        ask("a.corp.example");
    }
    EXPECT_EQ(take_answers(), "");
    ask("a.corp.example");
    EXPECT_EQ(take_answers(), "SERVFAIL");
    ask("a.corp.example", Transport::kUdp, "100.64.0.9");
    EXPECT_EQ(take_answers(), "");
}

TEST_F(SiteResolverTest, AFewClientsDoNotTakeItAll) {
    choose();
    for (int client = 1; client <= 16; ++client) {
        for (std::size_t i = 0; i < kSiteQueriesPerClient; ++i) {
            ask("a.corp.example", Transport::kUdp, "100.64.0." + std::to_string(client));
        }
    }
    answers.clear();

    ask("b.corp.example", Transport::kUdp, "100.64.0.17");

    EXPECT_EQ(take_answers(), "");
}

TEST_F(SiteResolverTest, AsksForAClientOnlySoOften) {
    choose();
    for (std::uint32_t i = 0; i < kSiteQueryRate.burst; ++i) {
        ask("www.example.org");
        respond(take_ask());
    }
    EXPECT_EQ(answers.size(), kSiteQueryRate.burst);
    answers.clear();

    ask("www.example.org");
    EXPECT_EQ(take_answers(), "SERVFAIL");
    ask("www.example.org", Transport::kUdp, "100.64.0.3");
    EXPECT_EQ(take_answers(), "") << "that of another is asked";
    asks.clear();

    now += 1s;
    ask("www.example.org");
    EXPECT_EQ(take_answers(), "");
}

TEST_F(SiteResolverTest, ForgetsConnectionsThatAreClosed) {
    choose();
    ask("a.corp.example", Transport::kTcp);
    const auto asked = take_ask();
    resolver.handle_connection_closed(1);
    drain();
    EXPECT_TRUE(stopped.contains(asked.id));
    respond(asked);
    EXPECT_EQ(take_answers(), "");
}

}  // namespace
}  // namespace culvert::dns
