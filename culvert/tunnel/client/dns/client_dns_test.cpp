#include "culvert/tunnel/client/dns/client_dns.h"

#include "culvert/tunnel/client/dns/client_dns_fixture.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using dns::RecordType;
using dns::test::a_record;
using dns::test::query;
using dns::test::response;

constexpr auto* kProxies = "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4";

/// Packets of programs to the sentinels, and what comes back.
class ClientDnsHost : public ClientDnsFixture {
protected:
    ClientDnsHost() { client_dns.add_resource(id(1), "app.example.com", dns::IpStack::kDual); }

    /// As an upstream answers.
    void respond(const dns::Ask& asked, const Bytes& message) {
        client_dns.handle_response(asked.id, message, now);
        exchange();
    }
    void respond(const dns::Ask& asked, std::string_view name) {
        respond(asked, response(asked.message, {a_record(name, 1, "198.51.100.7")}));
    }
    /// Of more than a UDP message to the TUN device may have.
    static Bytes long_response(const dns::Ask& asked, std::string_view name) {
        return response(asked.message, std::vector(90, a_record(name, 60, "198.51.100.7")));
    }
    tcp::Signal signal_of(tcp::ConnectionId connection) { return signals.at(connection); }
};

TEST_F(ClientDnsHost, AnswersFromTheSentinelThatWasAsked) {  // Q1, Q2
    ask("app.example.com");
    EXPECT_EQ(take_datagrams(), std::string{"100.100.111.1:53 "} + kProxies);
    ask("app.example.com", RecordType::kAaaa, kSentinelV6);
    EXPECT_EQ(take_datagrams(),
              "[fd00:2021:1111:8000:100:100:111:0]:53 NOERROR fd00:2021:1111:8000:: fd00:2021:1111:8000::1 "
              "fd00:2021:1111:8000::2 fd00:2021:1111:8000::3");
    EXPECT_EQ(names, (std::vector<std::string>{"app.example.com", "app.example.com"}));
}

TEST_F(ClientDnsHost, SaysOnceThatANameGotAddresses) {  // T13
    ask("app.example.com");
    EXPECT_TRUE(client_dns.take_records_changed());
    ask("app.example.com");
    EXPECT_FALSE(client_dns.take_records_changed());
}

TEST_F(ClientDnsHost, AnswersTheSocketThatAsked) {
    datagram(kSentinel, dns::kDnsPort, query("app.example.com"), 5353);
    const auto packet = packet::IpPacket::parse(datagrams.at(0)).value();
    EXPECT_EQ(packet.destination_port(), 5353);
}

TEST_F(ClientDnsHost, AnswersOverTcp) {
    for (const auto sentinel : {kSentinel, kSentinelV6}) {
        const auto connection = connect(sentinel);
        say(connection, query("app.example.com"));
        EXPECT_EQ(hear_answers(connection), kProxies);
    }
}

TEST_F(ClientDnsHost, PassesOnOverTheTransportOfTheQuery) {
    ask("www.example.org");
    const auto connection = connect(kSentinelV6);
    say(connection, query("www.example.org"));
    for (const auto& asked : asks) {
        client_dns.handle_response(asked.id, response(asked.message, {a_record("www.example.org", 1, "198.51.100.7")}),
                                   now);
    }
    exchange();
    EXPECT_EQ(take_asks(), "192.0.2.1:53 udp, [2001:db8::1]:53 tcp");
    EXPECT_EQ(take_datagrams(), "100.100.111.1:53 NOERROR 198.51.100.7");
    EXPECT_EQ(hear_answers(connection), "NOERROR 198.51.100.7");
    EXPECT_EQ(stopped.size(), 2U);
}

TEST_F(ClientDnsHost, KeepsConnectionsApart) {
    const auto first = connect();
    const auto second = connect();
    say(first, query("a.example.org", RecordType::kA, {.id = 1}));
    say(second, query("b.example.org", RecordType::kA, {.id = 1}));
    say(first, query("app.example.com", RecordType::kA, {.id = 2}));
    ASSERT_EQ(asks.size(), 2U);
    respond(asks[1], "b.example.org");
    EXPECT_EQ(hear_answers(second), "NOERROR 198.51.100.7");
    EXPECT_EQ(hear_answers(first), kProxies);
}

TEST_F(ClientDnsHost, AnswersSeveralQueriesOfAConnection) {  // T2
    const auto connection = connect();
    for (std::uint16_t i = 0; i < 4; ++i) {
        say(connection, query("app.example.com", RecordType::kA, {.id = i}));
    }
    EXPECT_EQ(hear(connection).size(), 4U);
    pass(5s);
    say(connection, query("app.example.com"));
    EXPECT_EQ(hear_answers(connection), kProxies);
}

TEST_F(ClientDnsHost, WaitsUntilAQueryIsComplete) {  // T3
    const auto connection = connect();
    for (const auto byte : tcp::with_length(query("app.example.com"))) {
        EXPECT_EQ(hear_answers(connection), "");
        ASSERT_TRUE(programs.write(connection, {&byte, 1}, now));
        exchange();
    }
    EXPECT_EQ(hear_answers(connection), kProxies);
}

TEST_F(ClientDnsHost, ResetsConnectionsThatBringNoQuery) {  // T4, Q20
    const auto response_flag = query("app.example.com", RecordType::kA, {.flags = 0x8100});
    for (const auto& garbage : {Bytes(30, std::byte{0xff}), response_flag, Bytes(12), Bytes(5), Bytes{}}) {
        const auto connection = connect();
        ASSERT_TRUE(programs.write(connection, tcp::with_length(garbage), now));
        exchange();
        EXPECT_EQ(signal_of(connection), tcp::Signal::kReset);
    }
    const auto next = connect();
    say(next, query("app.example.com"));
    EXPECT_EQ(hear_answers(next), kProxies);
}

TEST_F(ClientDnsHost, RefusesTheEleventhConnection) {  // T1
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(signal_of(connect()), tcp::Signal::kOpened);
    }
    EXPECT_EQ(signal_of(connect()), tcp::Signal::kRefused);
    EXPECT_EQ(signal_of(connect(kSentinelV6)), tcp::Signal::kOpened);
}

TEST_F(ClientDnsHost, StopsAskingForConnectionsThatEnd) {
    const auto connection = connect();
    say(connection, query("www.example.org"));
    const auto asked = take_ask();
    programs.abort(connection, now);
    exchange();
    EXPECT_EQ(stopped, std::vector{asked.id});
    respond(asked, "www.example.org");
}

TEST_F(ClientDnsHost, AnswersWhoHasFinishedAsking) {
    const auto connection = connect();
    say(connection, query("www.example.org"));
    programs.close(connection, now);
    exchange();
    EXPECT_TRUE(stopped.empty());
    respond(asks.at(0), "www.example.org");
    EXPECT_EQ(hear_answers(connection), "NOERROR 198.51.100.7");
}

TEST_F(ClientDnsHost, LeavesWhatIsNotForSentinelsToOthers) {
    EXPECT_FALSE(datagram("192.0.2.1", 53, query("app.example.com")));
    EXPECT_FALSE(datagram("100.96.0.1", 53, query("app.example.com")));
    EXPECT_FALSE(datagram("100.100.112.1", 53, query("app.example.com")));
    EXPECT_FALSE(datagram("fd00:2021:1111:8000::1", 53, query("app.example.com")));
    EXPECT_FALSE(packet_from_host(packet::make_tcp({own(net::Family::kIpv4), 1}, socket("192.0.2.1:53"), {}, {})));
    EXPECT_FALSE(datagram("224.0.0.251", 5355, query("app.example.com")));
    EXPECT_EQ(take_datagrams(), "");
}

TEST_F(ClientDnsHost, DropsEverythingElseToSentinels) {  // T7
    const auto from = own(net::Family::kIpv4);
    EXPECT_TRUE(datagram(kSentinel, 5353, query("app.example.com")));
    EXPECT_TRUE(datagram(kSentinel, 5355, query("app.example.com")));
    EXPECT_TRUE(datagram("100.100.111.77", 53, query("app.example.com")));
    EXPECT_TRUE(datagram("fd00:2021:1111:8000:100:100:111:77", 53, query("app.example.com")));
    EXPECT_TRUE(packet_from_host(packet::make_icmp_echo_request(from, ip(kSentinel), 1, 1, {})));
    EXPECT_TRUE(packet_from_host(packet::make_ip(from, ip(kSentinel), 132, Bytes(20))));
    for (const auto port : {std::uint16_t{80}, std::uint16_t{853}}) {
        EXPECT_TRUE(
            packet_from_host(packet::make_tcp({from, 1}, {ip(kSentinel), port}, {.flags = packet::kTcpSyn}, {})));
    }
    EXPECT_TRUE(
        packet_from_host(packet::make_tcp({from, 1}, socket("100.100.111.77:53"), {.flags = packet::kTcpSyn}, {})));
    EXPECT_FALSE(client_dns.poll_to_host());
    EXPECT_FALSE(client_dns.poll_to_tunnel());
    EXPECT_TRUE(datagrams.empty() && asks.empty() && names.empty());
}

TEST_F(ClientDnsHost, AnswersGroupsForNamesOfResourcesOnly) {  // T16
    client_dns.add_resource(id(2), "intranet", dns::IpStack::kDual);
    EXPECT_TRUE(datagram("224.0.0.252", 5355, query("intranet")));
    EXPECT_EQ(take_datagrams(), std::string{"100.100.111.1:5355 "} + kProxies);
    EXPECT_TRUE(datagram("ff02::1:3", 5355, query("intranet", RecordType::kA)));
    EXPECT_EQ(take_datagrams(), std::string{"[fd00:2021:1111:8000:100:100:111:0]:5355 "} + kProxies);
    EXPECT_TRUE(datagram("224.0.0.252", 5355, query("printer")));
    EXPECT_TRUE(datagram("224.0.0.252", 5355, query("use-application-dns.net")));
    EXPECT_TRUE(datagram("224.0.0.252", 53, query("intranet")));
    EXPECT_TRUE(datagram("224.0.0.252", 5355, Bytes(12)));
    EXPECT_TRUE(packet_from_host(
        packet::make_tcp({own(net::Family::kIpv4), 1}, socket("224.0.0.252:53"), {.flags = packet::kTcpSyn}, {})));
    EXPECT_EQ(take_datagrams(), "");
    EXPECT_EQ(take_asks(), "");
    client_dns.set_resolvers({}, std::vector{ip("192.0.2.1")}, now);  // nothing for IPv6 to answer from
    EXPECT_TRUE(datagram("ff02::1:3", 5355, query("intranet")));
    EXPECT_EQ(take_datagrams(), "");
}

TEST_F(ClientDnsHost, AnswersEachDatagramOfASuperPacket) {
    const auto first = query("app.example.com", RecordType::kA, {.id = 1});
    auto payload = first;
    append(payload, query("app.example.com", RecordType::kA, {.id = 2}));
    append(payload, ByteSpan{first}.first(20));  // no query
    const auto packet = packet::make_udp({own(net::Family::kIpv4), 40'000}, {ip(kSentinel), dns::kDnsPort}, payload);
    const auto size = static_cast<std::uint16_t>(first.size());

    EXPECT_TRUE(packet_from_host(packet, {.kind = packet::Offload::Kind::kUdp, .segment_size = size}));
    EXPECT_EQ(datagrams.size(), 2U);
    datagrams.clear();
    EXPECT_TRUE(packet_from_host(packet, {.kind = packet::Offload::Kind::kUdp, .segment_size = 0}));
    EXPECT_TRUE(packet_from_host(packet, {.kind = packet::Offload::Kind::kUdp, .segment_size = 65'535}));
    EXPECT_EQ(datagrams.size(), 1U);  // with something behind it
}

TEST_F(ClientDnsHost, DoesNotLookAtChecksumsOfTheHost) {
    auto syn = packet::make_tcp({own(net::Family::kIpv4), 1}, {ip(kSentinel), 53}, {.flags = packet::kTcpSyn}, {});
    syn[36] ^= std::byte{1};
    const auto packet = packet::IpPacket::parse(syn).value();
    EXPECT_TRUE(client_dns.handle_packet_from_host(packet, {.needs_checksum = true}, now));
    EXPECT_TRUE(client_dns.poll_to_host().has_value());
}

TEST_F(ClientDnsHost, TruncatesWhatTheDeviceDoesNotTakeUntilItIsAskedForOverTcp) {  // F10, T15, C5
    ask("www.example.org");
    const auto asked = take_ask();
    respond(asked, long_response(asked, "www.example.org"));
    EXPECT_EQ(take_datagrams(), "100.100.111.1:53 NOERROR TC");

    const auto connection = connect();
    say(connection, query("www.example.org"));
    const auto messages = hear(connection);
    ASSERT_EQ(messages.size(), 1U);  // out of the cache
    EXPECT_EQ(dns::Message::parse_response(messages[0])->answer_count(), 90);
}

TEST_F(ClientDnsHost, IsSilentOverUdpAndFailsOverTcpWithoutAnAnswer) {  // F11
    client_dns.set_resolvers({}, std::vector{ip("192.0.2.1")}, now);
    ask("www.example.org", RecordType::kA, "100.100.111.2");
    const auto connection = connect("100.100.111.2");
    say(connection, query("www.example.org"));
    pass(5s);
    EXPECT_EQ(take_datagrams(), "");
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
}

TEST_F(ClientDnsHost, FailsAtOnceWhatCannotBeSent) {  // F12
    client_dns.set_resolvers({}, std::vector{ip("192.0.2.1")}, now);
    ask("www.example.org", RecordType::kA, "100.100.111.2");
    client_dns.handle_failure(take_ask().id, now);
    exchange();
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 SERVFAIL");
}

TEST_F(ClientDnsHost, ForgetsConnectionsWhenSentinelsChange) {  // T5
    const auto connection = connect();
    say(connection, query("www.example.org"));
    const auto asked = take_ask();
    EXPECT_TRUE(client_dns.set_resolvers({}, std::vector{ip("192.0.2.9")}, now));
    exchange();
    EXPECT_EQ(signal_of(connection), tcp::Signal::kReset);
    EXPECT_EQ(stopped, std::vector{asked.id});
    respond(asked, "www.example.org");
    EXPECT_EQ(take_datagrams(), "");

    EXPECT_EQ(client_dns.sentinels().mappings().size(), 1U);
    const auto next = connect("100.100.111.2");
    say(next, query("app.example.com"));
    EXPECT_EQ(hear_answers(next), kProxies);
    EXPECT_FALSE(client_dns.set_resolvers({}, std::vector{ip("192.0.2.9")}, now));
    say(next, query("app.example.com"));
    EXPECT_EQ(hear_answers(next), kProxies);
}

TEST_F(ClientDnsHost, KeepsAddressesOfResourcesThatGo) {  // T11, T12
    ask("app.example.com");
    take_datagrams();
    client_dns.remove_resource(id(1), now);
    ask("app.example.com");
    ask("1.0.96.100.in-addr.arpa", RecordType::kPtr);
    EXPECT_EQ(take_asks(), "192.0.2.1:53 udp");
    EXPECT_EQ(take_datagrams(), "100.100.111.1:53 NOERROR app.example.com");
    client_dns.add_resource(id(1), "app.example.com", dns::IpStack::kDual);
    ask("app.example.com");
    EXPECT_EQ(take_datagrams(), std::string{"100.100.111.1:53 "} + kProxies);
}

TEST_F(ClientDnsHost, GoesOnFromTheSessionBefore) {  // T9, T10
    ask("app.example.com");
    ClientDns next{Rng::from_number(4)};
    EXPECT_EQ(next.restore(client_dns.proxies().records()), 0U);
    std::swap(client_dns, next);
    client_dns.set_addresses(own(net::Family::kIpv4), own(net::Family::kIpv6), now);
    client_dns.set_resolvers({}, std::vector{ip("192.0.2.1")}, now);
    client_dns.add_resource(id(1), "*.example.com", dns::IpStack::kDual);
    take_datagrams();
    ask("app.example.com");
    ask("new.example.com");
    EXPECT_EQ(take_datagrams(), std::string{"100.100.111.1:53 "} + kProxies +
                                    ", 100.100.111.1:53 NOERROR 100.96.0.5 100.96.0.6 100.96.0.7 100.96.0.8");
}

TEST_F(ClientDnsHost, LeavesApplicationsToAskAgainOnAnotherNetwork) {
    ask("www.example.org");
    const auto connection = connect();
    say(connection, query("www.example.org"));
    client_dns.handle_network_reset(now);
    exchange();
    EXPECT_EQ(stopped.size(), 2U);
    EXPECT_EQ(take_datagrams(), "");
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
    say(connection, query("app.example.com"));
    EXPECT_EQ(hear_answers(connection), kProxies);
}

TEST_F(ClientDnsHost, PassesOnToResolversOverHttps) {
    client_dns.set_resolvers({.do53 = {}, .doh = {{"https://dns.example/dns-query"}}}, {}, now);
    ask("www.example.org", RecordType::kA, "100.100.111.2");
    const auto connection = connect("100.100.111.2");
    say(connection, query("www.example.org"));
    EXPECT_EQ(take_asks(), "https://dns.example/dns-query udp, https://dns.example/dns-query tcp");
}

}  // namespace
}  // namespace culvert::tunnel
