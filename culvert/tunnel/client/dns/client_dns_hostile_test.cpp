#include "culvert/tunnel/client/dns/client_dns.h"
#include "culvert/tunnel/client/dns/client_dns_fixture.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using dns::RecordType;
using dns::test::a_record;
using dns::test::query;

/// Programs, resolvers and gateways that mean harm, or are broken.
class ClientDnsHostile : public ClientDnsFixture {
protected:
    ClientDnsHostile() { client_dns.add_resource(id(1), "*.example.com", dns::IpStack::kDual); }

    /// A query whose name is a pointer to itself.
    static Bytes endless_query() {
        auto message = dns::test::header(1, 0x0100, 0);
        append(message, *from_hex("c00c00010001"));
        return message;
    }
    /// The same in an answer.
    static Bytes endless_answer(ByteSpan asked) {
        const auto query = dns::Message::parse_query(asked).value();
        auto message = dns::test::header(query.id(), 0x8180, 1);
        append(message, query.question_bytes());
        const auto at = static_cast<std::uint16_t>(0xc000U | message.size());
        append_be(message, at);
        append(message, *from_hex("000500010000003c0002"));
        append_be(message, at);
        return message;
    }
};

TEST_F(ClientDnsHostile, DropsWhatIsNoQuery) {
    for (const auto& message : {Bytes{}, Bytes(1), Bytes(11), Bytes(12), endless_query(),
                                query("a.example.com", RecordType::kA, {.flags = 0x8100})}) {
        EXPECT_TRUE(datagram(kSentinel, dns::kDnsPort, message));
        EXPECT_TRUE(datagram("224.0.0.252", dns::kLlmnrPort, message));
    }
    auto cut = query("a.example.com");
    cut.pop_back();
    EXPECT_TRUE(datagram(kSentinel, dns::kDnsPort, cut));
    EXPECT_TRUE(datagrams.empty() && asks.empty() && names.empty());
}

TEST_F(ClientDnsHostile, RefusesGiantQueries) {
    auto message = query("www.example.org");
    message.resize(65'535);
    const auto connection = connect();
    const auto framed = tcp::with_length(message);
    for (ByteSpan rest = framed; !rest.empty();) {
        const auto count = std::min(rest.size(), programs.room(connection));
        ASSERT_TRUE(programs.write(connection, rest.first(count), now));
        rest = rest.subspan(count);
        exchange();
        pass(1s);
    }
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
    EXPECT_EQ(take_asks(), "");
    say(connection, query("a.example.com"));
    EXPECT_EQ(hear(connection).size(), 1U);
}

TEST_F(ClientDnsHostile, FailsAnswersThatDoNotEnd) {
    ask("www.example.org");
    const auto asked = take_ask();
    client_dns.handle_failure(asked.id, now);  // the other server is next
    exchange();
    client_dns.handle_response(asks.at(0).id, endless_answer(asks.at(0).message), now);
    exchange();
    EXPECT_EQ(dns::Message::parse_response(packet::IpPacket::parse(datagrams.at(0))->payload())->id(), 0x1234);
    datagrams.clear();
    ask("www.example.org");
    EXPECT_EQ(take_datagrams(), "");  // nothing of it is remembered
}

TEST_F(ClientDnsHostile, StopsListeningToAServerThatAnswersWhatItWasNotAsked) {
    set_portal();
    const auto server = socket("10.0.0.53:53");
    servers.listen(server);
    const auto connection = connect(kPortalSentinel);
    say(connection, query("www.example.org"));
    ASSERT_EQ(streamed.size(), 1U);
    const auto answer = dns::test::response(query("www.example.net"), {a_record("www.example.net", 1, "192.0.2.66")});
    ASSERT_TRUE(servers.write(streamed[0].first, tcp::with_length(answer), now));
    exchange();
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
    EXPECT_FALSE(servers.exists(streamed[0].first));
}

TEST_F(ClientDnsHostile, BoundsWhatIsInFlight) {
    for (unsigned i = 0; i < 10'000; ++i) {
        datagram(kSentinel, dns::kDnsPort, query("www.example.org"), static_cast<std::uint16_t>(1024 + i));
    }
    EXPECT_EQ(asks.size(), dns::kHostQueries);
    pass(6s);
    asks.clear();
    EXPECT_FALSE(client_dns.poll_timeout().has_value());
    ask("www.example.org");
    EXPECT_EQ(asks.size(), 1U);
}

TEST_F(ClientDnsHostile, LeavesOtherProgramsRoom) {
    for (unsigned i = 0; i < 10'000; ++i) {
        datagram(kSentinel, dns::kDnsPort, query("www.example.org"));
    }
    EXPECT_EQ(asks.size(), dns::kQueriesPerClient);
    EXPECT_TRUE(datagram(kSentinel, dns::kDnsPort, query("www.example.org"), 40'001));
    EXPECT_EQ(asks.size(), dns::kQueriesPerClient + 1);
}

TEST_F(ClientDnsHostile, BoundsWhatNobodyFetches) {
    for (unsigned i = 0; i < 10'000; ++i) {
        auto packet =
            packet::make_udp({own(net::Family::kIpv4), static_cast<std::uint16_t>(1024 + i / 200)},
                             {ip(kSentinel), dns::kDnsPort}, query(i % 2 == 0 ? "a.example.com" : "www.example.org"));
        client_dns.handle_packet_from_host(packet::IpPacket::parse(packet).value(), {}, now);
    }
    std::size_t packets = 0;
    while (client_dns.poll_to_host()) {
        ++packets;
    }
    std::size_t events = 0;
    while (client_dns.poll_event()) {
        ++events;
    }
    EXPECT_EQ(packets, tcp::kMaxQueuedPackets);
    EXPECT_EQ(events, ClientDns::kMaxEvents);
}

TEST_F(ClientDnsHostile, FailsWhatItCannotHaveAsked) {
    client_dns.set_resolvers({}, std::vector{ip("192.0.2.1")}, now);
    const auto ask_silently = [&](std::string_view name) {
        auto packet = packet::make_udp({own(net::Family::kIpv4), 1024}, socket("100.100.111.2:53"), query(name));
        client_dns.handle_packet_from_host(packet::IpPacket::parse(packet).value(), {}, now);
    };
    for (std::size_t i = 0; i < ClientDns::kMaxEvents; ++i) {
        ask_silently("a.example.com");
    }
    while (client_dns.poll_to_host()) {
    }
    ask_silently("www.example.org");
    exchange();
    EXPECT_EQ(take_asks(), "");
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 SERVFAIL");
}

TEST_F(ClientDnsHostile, BoundsConnectionsThatDoNothing) {
    for (unsigned i = 0; i < 2000; ++i) {
        const net::SocketAddress from{own(net::Family::kIpv4), static_cast<std::uint16_t>(1024 + i)};
        packet_from_host(packet::make_tcp(from, {ip(kSentinel), 53}, {.flags = packet::kTcpSyn}, {}));
    }
    const auto connection = connect();
    say(connection, query("a.example.com"));
    EXPECT_EQ(hear(connection).size(), 1U);
    pass(120s);
    EXPECT_FALSE(client_dns.poll_timeout().has_value());
}

}  // namespace
}  // namespace culvert::tunnel
