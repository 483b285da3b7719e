#include <set>

#include "culvert/packet/icmp_error.h"
#include "culvert/tunnel/client/dns/client_dns.h"
#include "culvert/tunnel/client/dns/client_dns_fixture.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using dns::RecordType;
using dns::test::a_record;
using dns::test::query;
using dns::test::response;

/// Through the tunnel: to the portal's resolver at 10.0.0.53, and to the gateway of the site of resource 4.
class ClientDnsTunnel : public ClientDnsFixture {
protected:
    ClientDnsTunnel() {
        set_portal();
        client_dns.add_resource(id(4), "**.corp.example", dns::IpStack::kDual);
        servers.listen(kServer);
        servers.listen(kGateway);
    }

    const net::SocketAddress kServer = socket("10.0.0.53:53");
    const net::SocketAddress kGateway = socket("100.64.0.2:53535");
    const dns::SiteAddresses kSite{ip("100.64.0.2"), ip("fd00:2021:1111::2")};

    void ask(std::string_view name, RecordType type = RecordType::kA, std::uint16_t port = 40'000) {
        EXPECT_TRUE(datagram(kPortalSentinel, dns::kDnsPort, query(name, type), port));
    }
    static Bytes answer_to(ByteSpan asked) {
        const auto name = dns::Message::parse_query(asked)->question().name.to_string();
        return response(asked, {a_record(name, 1, "198.51.100.7")});
    }
    bool reply(const Tunnelled& asked, const net::SocketAddress& from, const Bytes& message) {
        return packet_from_tunnel(packet::make_udp(from, asked.from, message));
    }
    bool reply(const Tunnelled& asked) { return reply(asked, asked.to, answer_to(asked.message)); }
    /// A server answers what it was asked over TCP.
    void stream_reply(std::size_t which) {
        const auto [connection, message] = streamed.at(which);
        ASSERT_TRUE(servers.write(connection, tcp::with_length(answer_to(message)), now));
        exchange();
    }
    bool icmp_error(ByteSpan about, std::string_view from = "10.0.0.53") {
        const auto bytes = packet::make_icmp(ip(from), own(net::Family::kIpv4), 3, 1, 0, about);
        auto copy = bytes;
        const auto packet = packet::IpPacket::parse(copy).value();
        const auto error = packet::inspect_icmp_error(packet).value();
        EXPECT_TRUE(error.has_value());
        const bool is_taken = client_dns.handle_icmp_error(*error, now);
        exchange();
        return is_taken;
    }
};

TEST_F(ClientDnsTunnel, AsksServersInsideResourcesWithPacketsOfItsOwn) {  // F2
    ask("www.example.org");
    const auto asked = take_tunnelled();
    EXPECT_EQ(asked.to, kServer);
    EXPECT_EQ(asked.from.ip, own(net::Family::kIpv4));
    EXPECT_GE(asked.from.port, dns::kFirstTunnelPort);
    EXPECT_NE(dns::Message::parse_query(asked.message)->id(), 0x1234);
    EXPECT_TRUE(reply(asked));
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 NOERROR 198.51.100.7");
    EXPECT_TRUE(asks.empty() && stopped.empty());
}

TEST_F(ClientDnsTunnel, AsksOverOneConnection) {  // F3
    const auto first = connect(kPortalSentinel);
    const auto second = connect(kPortalSentinel);
    say(first, query("a.example.org"));
    say(second, query("b.example.org"));
    ASSERT_EQ(streamed.size(), 2U);
    EXPECT_EQ(streamed[0].first, streamed[1].first);
    EXPECT_EQ(servers.route(streamed[0].first)->local, kServer);
    stream_reply(1);
    EXPECT_EQ(hear_answers(second), "NOERROR 198.51.100.7");
    EXPECT_EQ(hear_answers(first), "");
    stream_reply(0);
    EXPECT_EQ(hear_answers(first), "NOERROR 198.51.100.7");
    EXPECT_TRUE(asks.empty() && stopped.empty());
}

TEST_F(ClientDnsTunnel, LeavesTheTunnelWhereNoResourceHasTheServer) {  // F4, F6
    client_dns.set_tunnelled({}, now);
    ask("www.example.org");
    EXPECT_EQ(take_asks(), "10.0.0.53:53 udp");
    client_dns.set_resolvers({}, std::vector{ip("10.0.0.53")}, now);
    client_dns.set_tunnelled({{ip("10.0.0.53"), id(9)}}, now);
    ask("www.example.org");
    EXPECT_TRUE(tunnelled.empty());
}

TEST_F(ClientDnsTunnel, TakesAnswersFromThereAndToThatPortOnly) {
    ask("www.example.org");
    const auto asked = take_tunnelled();
    const auto answer = answer_to(asked.message);
    auto other_port = asked;
    other_port.from.port ^= 1U;
    auto other_host = asked;
    other_host.from.ip = ip("100.64.0.3");
    EXPECT_FALSE(reply(asked, socket("10.0.0.54:53"), answer));
    EXPECT_FALSE(reply(asked, socket("10.0.0.53:54"), answer));
    EXPECT_FALSE(reply(other_port, asked.to, answer));
    EXPECT_FALSE(reply(other_host, asked.to, answer));
    EXPECT_FALSE(packet_from_tunnel(packet::make_tcp(asked.to, asked.from, {}, answer)));
    EXPECT_TRUE(reply(asked, asked.to, dns::with_id(answer, 1)));
    EXPECT_TRUE(reply(asked, asked.to, {}));
    EXPECT_TRUE(reply(asked, asked.to, answer_to(query("www.example.net"))));
    EXPECT_EQ(take_datagrams(), "");
    EXPECT_TRUE(reply(asked));
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 NOERROR 198.51.100.7");
    EXPECT_TRUE(reply(asked));  // late ones are nobody's
    EXPECT_EQ(take_datagrams(), "");
}

TEST_F(ClientDnsTunnel, TakesNoBrokenPackets) {
    ask("www.example.org");
    const auto asked = take_tunnelled();
    auto packet = packet::make_udp(asked.to, asked.from, answer_to(asked.message));
    packet.back() ^= std::byte{1};
    EXPECT_TRUE(packet_from_tunnel(packet));
    EXPECT_EQ(take_datagrams(), "");
}

TEST_F(ClientDnsTunnel, AnswersApplicationsWithTheSameIdEach) {  // F13
    ask("www.example.org", RecordType::kA, 1000);
    ask("www.example.org", RecordType::kA, 2000);
    const auto first = take_tunnelled();
    const auto second = take_tunnelled();
    EXPECT_NE(first.from.port, second.from.port);
    EXPECT_TRUE(reply(second));
    EXPECT_EQ(packet::IpPacket::parse(datagrams.at(0))->destination_port(), 2000);
    EXPECT_TRUE(reply(first));
    EXPECT_EQ(packet::IpPacket::parse(datagrams.at(1))->destination_port(), 1000);
}

TEST_F(ClientDnsTunnel, FailsAfterTenSeconds) {
    const auto connection = connect(kPortalSentinel);
    say(connection, query("www.example.org"));
    ask("www.example.org");
    pass(10s - 1ns);
    EXPECT_EQ(take_datagrams() + hear_answers(connection), "");
    pass(1ns);
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 SERVFAIL");
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
}

TEST_F(ClientDnsTunnel, FailsWhatARouterRefuses) {
    ask("www.example.org");
    const auto sent = tunnelled.at(0);
    auto foreign = packet::make_udp({own(net::Family::kIpv4), 40'000}, kServer, query("www.example.org"));
    EXPECT_FALSE(icmp_error(foreign));
    EXPECT_EQ(take_datagrams(), "");
    EXPECT_TRUE(icmp_error(sent));
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 SERVFAIL");
}

TEST_F(ClientDnsTunnel, FailsConnectionsThatARouterRefuses) {
    servers.stop_listening(kServer);
    const auto connection = connect(kPortalSentinel);
    const auto to = net::SocketAddress{ip(kPortalSentinel), 53};
    EXPECT_TRUE(programs.write(connection, tcp::with_length(query("www.example.org")), now));
    while (auto packet = programs.poll_transmit()) {
        client_dns.handle_packet_from_host(packet::IpPacket::parse(*packet).value(), {}, now);
    }
    const auto syn = client_dns.poll_to_tunnel();
    ASSERT_TRUE(syn);
    EXPECT_TRUE(icmp_error(*syn));
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
    EXPECT_EQ(programs.route(connection)->remote, to);
}

TEST_F(ClientDnsTunnel, FailsConnectionsWhenRoutesChange) {
    const auto connection = connect(kPortalSentinel);
    say(connection, query("a.example.org"));
    client_dns.set_tunnelled({{ip("10.0.0.53"), id(9)}}, now);
    exchange();
    EXPECT_EQ(hear_answers(connection), "");
    client_dns.set_tunnelled({{ip("10.0.0.53"), id(8)}}, now);  // the same server, elsewhere
    exchange();
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
    say(connection, query("b.example.org"));
    ASSERT_EQ(streamed.size(), 2U);
    EXPECT_NE(streamed[0].first, streamed[1].first);
    stream_reply(1);
    EXPECT_EQ(hear_answers(connection), "NOERROR 198.51.100.7");
}

TEST_F(ClientDnsTunnel, FailsOverTcpOnAnotherNetwork) {  // T6
    const auto connection = connect(kPortalSentinel);
    say(connection, query("a.example.org"));
    ask("b.example.org");
    client_dns.handle_network_reset(now);
    exchange();
    EXPECT_EQ(hear_answers(connection), "SERVFAIL");
    EXPECT_EQ(take_datagrams(), "");
    EXPECT_TRUE(reply(take_tunnelled()));
    EXPECT_EQ(take_datagrams(), "");
}

TEST_F(ClientDnsTunnel, DoesNotAnswerWhoIsGone) {
    const auto connection = connect(kPortalSentinel);
    say(connection, query("a.example.org"));
    programs.abort(connection, now);
    exchange();
    stream_reply(0);
    const auto next = connect(kPortalSentinel);
    say(next, query("b.example.org"));
    stream_reply(1);
    EXPECT_EQ(streamed[0].first, streamed[1].first);  // the late answer did no harm
    EXPECT_EQ(hear_answers(next), "NOERROR 198.51.100.7");
}

TEST_F(ClientDnsTunnel, LeavesConnectionsOfApplicationsAlone) {
    const auto connection = connect(kPortalSentinel);
    say(connection, query("a.example.org"));
    const auto own_port = servers.route(streamed.at(0).first)->remote.port;
    const net::SocketAddress application{own(net::Family::kIpv4), static_cast<std::uint16_t>(own_port ^ 1U)};
    EXPECT_FALSE(packet_from_tunnel(packet::make_tcp(kServer, application, {}, {})));
    EXPECT_FALSE(client_dns.poll_to_tunnel());
}

TEST_F(ClientDnsTunnel, AsksTheGatewayOfASite) {  // G1, F8
    ask("_cfg.corp.example", RecordType::kTxt);
    EXPECT_EQ(sites, std::vector{id(4)});
    EXPECT_TRUE(tunnelled.empty());
    client_dns.handle_site_connected(id(4), kSite, now);
    exchange();
    const auto asked = take_tunnelled();
    EXPECT_EQ(asked.to, kGateway);
    EXPECT_TRUE(reply(asked, asked.to,
                      response(asked.message, {{.owner = dns::test::name("_cfg.corp.example"),
                                                .type = RecordType::kTxt,
                                                .ttl = 1,
                                                .data = *from_hex("0161")}})));
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 NOERROR type16");
}

TEST_F(ClientDnsTunnel, AsksTheGatewayOfASiteOverTcp) {  // G2, G5
    client_dns.handle_site_connected(id(4), kSite, now);
    ask("_ldap._tcp.corp.example", RecordType::kSrv);
    auto asked = take_tunnelled();
    auto truncated = response(asked.message, {}, 0x8380);
    EXPECT_TRUE(reply(asked, asked.to, truncated));
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 NOERROR TC");

    const auto connection = connect(kPortalSentinel);
    say(connection, query("_ldap._tcp.corp.example", RecordType::kSrv));
    ASSERT_EQ(streamed.size(), 1U);
    EXPECT_EQ(servers.route(streamed[0].first)->local, kGateway);
    stream_reply(0);
    EXPECT_EQ(hear(connection).size(), 1U);
}

TEST_F(ClientDnsTunnel, AsksTheGatewayOverTheFamilyOfTheSentinel) {
    client_dns.handle_site_connected(id(4), kSite, now);
    client_dns.set_resolvers({}, std::vector{ip("2001:db8::53")}, now);
    const auto sentinel = client_dns.sentinels().mappings().at(0).sentinel.to_string();
    EXPECT_TRUE(datagram(sentinel, 53, query("_cfg.corp.example", RecordType::kTxt)));
    const auto asked = take_tunnelled();
    EXPECT_EQ(asked.to, socket("[fd00:2021:1111::2]:53535"));
    EXPECT_EQ(asked.from.ip, own(net::Family::kIpv6));
    EXPECT_TRUE(reply(asked));
    EXPECT_EQ(take_datagrams(), "[" + sentinel + "]:53 NOERROR 198.51.100.7");
}

TEST_F(ClientDnsTunnel, ConnectsASiteAgainOnceItIsLost) {
    client_dns.handle_site_connected(id(4), kSite, now);
    client_dns.handle_site_lost(id(4));
    ask("_cfg.corp.example", RecordType::kTxt);
    EXPECT_EQ(sites, std::vector{id(4)});
    pass(10s);
    EXPECT_EQ(take_datagrams(), "100.100.111.2:53 SERVFAIL");
}

TEST_F(ClientDnsTunnel, PassesOnNoQueryThatIsTooLongForThePacket) {
    client_dns.set_resolvers({.do53 = {kServer, socket("[2001:db8::53]:53")}, .doh = {}}, {}, now);
    client_dns.set_tunnelled({{ip("10.0.0.53"), id(9)}, {ip("2001:db8::53"), id(9)}}, now);
    auto message = query("www.example.org");
    message.resize(1240);  // 1268 bytes over IPv4, 1288 over IPv6
    EXPECT_TRUE(datagram(client_dns.sentinels().mappings().at(0).sentinel.to_string(), 53, message));
    EXPECT_EQ(take_tunnelled().to, kServer);
    pass(2s);
    EXPECT_TRUE(tunnelled.empty());
}

}  // namespace
}  // namespace culvert::tunnel
