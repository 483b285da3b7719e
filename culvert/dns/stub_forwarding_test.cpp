#include <gtest/gtest.h>

#include "culvert/dns/stub_fixture.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;
using test::query;

/// Over the network around us.
class StubForwarding : public StubFixture {};

TEST_F(StubForwarding, AsksTheResolverBehindTheSentinel) {
    ask(over_udp("100.100.111.1"), query("www.example.org"));
    ask(over_udp("100.100.111.2"), query("www.example.org"));
    ask(over_tcp("100.100.111.2"), query("www.example.org"));
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53, host udp 192.0.2.2:53, host tcp 192.0.2.2:53");
}

TEST_F(StubForwarding, ChangesNothingButTheId) {
    const auto asked = query("wWw.example.org", RecordType::kMx, {.id = 7, .flags = 0x0130, .edns = Edns{1232, true}});
    ask(over_udp(), asked);
    const auto forwarded = take_ask();
    EXPECT_EQ(with_id(forwarded.message, 7), asked);

    auto answered = test::response(forwarded.message, {test::a_record("www.example.org", 60, "192.0.2.7")}, 0x85a0);
    append(answered, as_bytes("whatever"));
    stub.handle_response(forwarded.id, answered, now);
    drain();

    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].to, over_udp());
    EXPECT_EQ(answers[0].message, with_id(answered, 7));
    EXPECT_TRUE(stopped.contains(forwarded.id));
    EXPECT_EQ(stub.poll_timeout(), std::nullopt);
    EXPECT_EQ(stub.pending(), 0U);
}

TEST_F(StubForwarding, DrawsItsIds) {
    std::set<MessageId> ids;
    for (int i = 0; i < 20; ++i) {
        ask("www.example.org");
        ids.insert(Message::parse_query(take_ask().message)->id());
    }
    EXPECT_GT(ids.size(), 15U);
}

TEST_F(StubForwarding, TellsApplicationsWithTheSameIdApart) {  // F13
    ask(over_udp("100.100.111.1", 1000), query("a.example.org", RecordType::kA, {.id = 7}));
    ask(over_udp("100.100.111.2", 2000), query("b.example.org", RecordType::kA, {.id = 7}));
    const auto first = take_ask();
    const auto second = take_ask();
    respond(second, "198.51.100.2");
    respond(first, "198.51.100.1");
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0].to, over_udp("100.100.111.2", 2000));
    EXPECT_EQ(answers[1].to, over_udp("100.100.111.1", 1000));
    EXPECT_EQ(take_answers(), "NOERROR 198.51.100.2, NOERROR 198.51.100.1");
}

TEST_F(StubForwarding, CutsAnswersThatAreTooLong) {  // F10
    for (const auto& from : {over_udp(), over_tcp()}) {
        ask(from, query("www.example.org"));
        const auto asked = take_ask();
        stub.handle_response(
            asked.id,
            test::response(asked.message, std::vector<Record>(80, test::a_record("www.example.org", 1, "192.0.2.7"))),
            now);
        drain();
    }
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(test::summary(answers[0].message), "NOERROR TC");
    EXPECT_GT(answers[1].message.size(), kMaxUdpMessage);
}

TEST_F(StubForwarding, IgnoresAnswersToWhatItDidNotAsk) {
    ask("www.example.org");
    const auto asked = take_ask();
    const auto good = test::response(asked.message, {test::a_record("www.example.org", 600, "192.0.2.7")});
    const auto id = Message::parse_query(asked.message)->id();
    const auto try_response = [&](const Bytes& bytes) {
        stub.handle_response(asked.id, bytes, now);
        drain();
    };
    try_response(with_id(good, static_cast<MessageId>(id + 1)));
    try_response(asked.message);
    try_response({});
    try_response(test::response(query("www.example.net", RecordType::kA, {.id = id}),
                                {test::a_record("www.example.net", 600, "192.0.2.7")}));
    try_response(test::response(query("www.example.org", RecordType::kAaaa, {.id = id}), {}));
    try_response(test::response(query("www.example.org", RecordType::kA, {.id = id, .question_class = 3}), {}));
    stub.handle_response(AskId{99}, good, now);
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(stub.pending(), 1U);

    try_response(good);
    EXPECT_EQ(take_answers(), "NOERROR 192.0.2.7");
    try_response(good);
    EXPECT_EQ(take_answers(), "");
}

TEST_F(StubForwarding, TakesOneAnswerFromAConnection) {
    set_system({"192.0.2.3"});
    ask(over_tcp("100.100.111.3"), query("www.example.org"));
    const auto asked = take_ask();
    stub.handle_response(asked.id, with_id(test::response(asked.message, {}), 1), now);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL");
    EXPECT_TRUE(stopped.contains(asked.id));
}

TEST_F(StubForwarding, FailsAtOnceIfNobodyCanBeAsked) {  // F12
    set_system({"2001:db8::1"});
    ask(over_udp("fd00:2021:1111:8000:100:100:111:0"), query("www.example.org"));
    fail(take_ask());
    EXPECT_EQ(take_answers(), "SERVFAIL");
    EXPECT_EQ(stub.pending(), 0U);
}

TEST_F(StubForwarding, FailsIfTheAnswerIsMalformed) {
    set_system({"192.0.2.3"});
    ask(over_udp("100.100.111.3"), query("www.example.org"));
    const auto asked = take_ask();
    auto bytes = test::response(asked.message, {});
    bytes[7] = std::byte{9};
    stub.handle_response(asked.id, bytes, now);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(StubForwarding, LeavesSilenceToSilenceOverUdpOnly) {  // F11
    set_system({"192.0.2.3"});
    ask(over_udp("100.100.111.3"), query("www.example.org"));
    ask(over_tcp("100.100.111.3"), query("www.example.org"));
    pass(5s - 1ns);
    EXPECT_EQ(stub.pending(), 2U);
    EXPECT_EQ(stopped.size(), 0U);
    pass(1ns);
    EXPECT_EQ(stub.pending(), 0U);
    EXPECT_EQ(stopped.size(), 2U);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].to.transport, Transport::kTcp);
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(StubForwarding, AsksTheNextResolverIfOneIsSilent) {
    ask("www.example.org");
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
    pass(kServerTimeout);
    const auto asked = take_ask();
    EXPECT_EQ(route_of(asked), "host udp 192.0.2.2:53");
    respond(asked);
    EXPECT_EQ(take_answers(), "NOERROR 198.51.100.7");
}

TEST_F(StubForwarding, PaysForADeadResolverOnce) {
    ask("one.example.org");
    pass(kServerTimeout);
    take_ask();
    respond(take_ask());
    take_answers();

    for (int i = 0; i < 5; ++i) {
        ask("more" + std::to_string(i) + ".example.org");
        const auto asked = take_ask();
        EXPECT_EQ(route_of(asked), "host udp 192.0.2.2:53");
        respond(asked);
        EXPECT_EQ(take_answers(), "NOERROR 198.51.100.7");
    }
    EXPECT_TRUE(asks.empty());
}

TEST_F(StubForwarding, ReturnsToAResolverThatAnswersAgain) {
    ask("one.example.org");
    fail(take_ask());
    respond(take_ask());
    pass(kProbeInterval);
    take_answers();

    ask("two.example.org");

    const auto asked = take_ask();
    const auto probe = take_ask();
    EXPECT_EQ(route_of(asked), "host udp 192.0.2.2:53");
    EXPECT_EQ(route_of(probe), "host udp 192.0.2.1:53");
    respond(asked);
    EXPECT_EQ(take_answers(), "NOERROR 198.51.100.7");
    respond(probe);
    EXPECT_EQ(take_answers(), "");
    EXPECT_EQ(stub.pending(), 0U);
    ask("three.example.org");
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
}

TEST_F(StubForwarding, ProbesInVainWithoutHarm) {
    ask("one.example.org");
    fail(take_ask());
    respond(take_ask());
    pass(kProbeInterval);
    ask("two.example.org");
    respond(take_ask());
    pass(10s);
    EXPECT_EQ(stub.pending(), 0U);
    asks.clear();
    ask("three.example.org");
    EXPECT_EQ(take_routes(), "host udp 192.0.2.2:53");
}

TEST_F(StubForwarding, AsksDeadResolversAllTheSameIfAllAre) {
    ask("one.example.org");
    pass(10s);
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53, host udp 192.0.2.2:53");
    ask("two.example.org");
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
    EXPECT_TRUE(answers.empty());
}

TEST_F(StubForwarding, TakesALateAnswerOfTheFirst) {
    ask("www.example.org");
    const auto first = take_ask();
    pass(kServerTimeout);
    const auto second = take_ask();
    respond(first, "198.51.100.1");
    EXPECT_EQ(take_answers(), "NOERROR 198.51.100.1");
    EXPECT_TRUE(stopped.contains(second.id));
    ask("more.example.org");
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
}

TEST_F(StubForwarding, IsBounded) {
    for (unsigned i = 0; i < kHostQueries + 50; ++i) {
        ask(over_udp("100.100.111.1", static_cast<std::uint16_t>(1000 + i / 100)), query("www.example.org"));
    }
    EXPECT_EQ(stub.pending(), kHostQueries);
    EXPECT_TRUE(answers.empty());
    ask(over_tcp(), query("www.example.org"));
    EXPECT_EQ(take_answers(), "SERVFAIL");
    ask("use-application-dns.net");
    EXPECT_EQ(take_answers(), "NXDOMAIN");
    pass(5s);
    EXPECT_EQ(stub.pending(), 0U);
    ask("www.example.org");
    EXPECT_EQ(stub.pending(), 1U);
}

TEST_F(StubForwarding, IsBoundedForEachClient) {
    for (unsigned i = 0; i < kQueriesPerClient + 1; ++i) {
        ask(over_udp("100.100.111.1", 1000), query("www.example.org"));
    }
    EXPECT_EQ(stub.pending(), kQueriesPerClient);
    ask(over_udp("100.100.111.1", 1001), query("www.example.org"));
    EXPECT_EQ(stub.pending(), kQueriesPerClient + 1);
}

TEST_F(StubForwarding, DropsWhatWaitsWhenResolversChange) {  // T5
    ask(over_tcp(), query("www.example.org"));
    const auto asked = take_ask();
    set_system({"192.0.2.9"});
    EXPECT_TRUE(stopped.contains(asked.id));
    respond(asked);
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(stub.pending(), 0U);
}

TEST_F(StubForwarding, ForgetsConnectionsThatAreClosed) {
    ask(over_tcp("100.100.111.1", 1), query("www.example.org"));
    ask(over_tcp("100.100.111.1", 2), query("www.example.org"));
    const auto first = take_ask();
    const auto second = take_ask();
    stub.handle_connection_closed(1, now);
    drain();
    EXPECT_TRUE(stopped.contains(first.id));
    respond(second);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].to.connection, 2U);
}

TEST_F(StubForwarding, LetsApplicationsAskAgainOnAnotherNetwork) {
    ask("www.example.org");
    ask(over_tcp(), query("www.example.org"));
    stub.handle_network_reset(now);
    drain();
    EXPECT_EQ(stub.pending(), 0U);
    EXPECT_EQ(stopped.size(), 2U);
    EXPECT_EQ(take_answers(), "SERVFAIL");  // over TCP
}

TEST_F(StubForwarding, ForgetsOnAnotherNetworkWhatWasSaidOnThisOne) {
    ask("www.example.org");
    respond(take_ask(), "203.0.113.66", 3600);
    EXPECT_EQ(take_answers(), "NOERROR 203.0.113.66");

    stub.handle_network_reset(now);
    ask("www.example.org");

    EXPECT_TRUE(answers.empty()) << "whoever answered there is not who answers here";
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
}

TEST_F(StubForwarding, AsksOverHttpsWithoutId) {
    const PortalResolvers portal{.doh = {{"https://dns.example/dns-query"}}};
    stub.set_resolvers(portal, {}, now);
    drain();
    ask(over_udp("100.100.111.3"), query("www.example.org", RecordType::kA, {.id = 7}));
    const auto asked = take_ask();
    EXPECT_EQ(route_of(asked), "https://dns.example/dns-query");
    EXPECT_EQ(Message::parse_query(asked.message)->id(), 0);
    respond(asked);
    EXPECT_EQ(Message::parse_response(answers.at(0).message)->id(), 7);
}

}  // namespace
}  // namespace culvert::dns
