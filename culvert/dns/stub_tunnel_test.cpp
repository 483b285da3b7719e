#include <gtest/gtest.h>

#include "culvert/dns/stub_fixture.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;
using test::query;

/// Through the tunnel: to the portal's resolver at 10.0.0.53, which a resource contains, and to gateways. The sentinel
/// is 100.100.111.3.
class StubTunnel : public StubFixture {
protected:
    StubTunnel() {
        set_portal({"10.0.0.53:53"});
        stub.set_tunnelled({test::ip("10.0.0.53")}, now);
        stub.add_resource(id(4), "**.corp.example", IpStack::kDual);
    }

    static constexpr auto* kSentinel = "100.100.111.3";
    const net::SocketAddress server = socket("10.0.0.53:53");
    const SiteAddresses site{test::ip("100.64.0.2"), test::ip("fd00:2021:1111::2")};

    void ask_udp(std::string_view name, RecordType type = RecordType::kA, std::uint16_t port = 40'000) {
        ask(over_udp(kSentinel, port), query(name, type, {.id = 7}));
    }
    void ask_tcp(std::string_view name, RecordType type = RecordType::kA) {
        ask(over_tcp(kSentinel), query(name, type, {.id = 7}));
    }
    static std::uint16_t port_of(const Ask& asked) { return std::get<ViaTunnel>(asked.route).local_port; }
    static Bytes answer_to(const Ask& asked) { return test::response(asked.message, {}); }
    bool datagram(const net::SocketAddress& from, std::uint16_t port, const Bytes& message) {
        const bool is_ours = stub.owns_tunnel_port(from, port, now);
        stub.handle_tunnel_datagram(from, port, message, now);
        drain();
        return is_ours;
    }
};

TEST_F(StubTunnel, IsTakenToServersOfThePortalInsideResourcesOnly) {  // F1 to F9
    ask_udp("www.example.org");
    ask_tcp("www.example.org");
    EXPECT_EQ(take_routes(), "tunnel udp 10.0.0.53:53, tunnel tcp 10.0.0.53:53");
    ask_udp("app.corp.example");
    EXPECT_EQ(take_routes(), "");
    ask_udp("app.corp.example", RecordType::kMx);
    EXPECT_EQ(take_routes(), "tunnel udp 10.0.0.53:53");

    stub.set_tunnelled({}, now);
    ask_udp("www.example.org");
    EXPECT_EQ(take_routes(), "host udp 10.0.0.53:53");

    set_system({"192.0.2.1"});
    stub.set_tunnelled({test::ip("192.0.2.1")}, now);
    ask(over_udp("100.100.111.1"), query("www.example.org"));
    EXPECT_EQ(take_routes(), "host udp 192.0.2.1:53");
}

TEST_F(StubTunnel, TakesAnswersFromThereAndToThatPortOnly) {
    ask_udp("www.example.org");
    const auto asked = take_ask();
    const auto answer = answer_to(asked);
    EXPECT_FALSE(datagram(socket("10.0.0.54:53"), port_of(asked), answer));
    EXPECT_FALSE(datagram(socket("10.0.0.53:54"), port_of(asked), answer));
    EXPECT_FALSE(datagram(server, static_cast<std::uint16_t>(port_of(asked) ^ 1U), answer));
    EXPECT_TRUE(datagram(server, port_of(asked), with_id(answer, 1)));
    EXPECT_EQ(take_answers(), "");
    EXPECT_TRUE(datagram(server, port_of(asked), answer));
    EXPECT_EQ(take_answers(), "NOERROR");
    EXPECT_TRUE(datagram(server, port_of(asked), answer));  // a second one is nobody's
    EXPECT_EQ(take_answers(), "");
}

TEST_F(StubTunnel, AnswersApplicationsWithTheSameIdEach) {
    ask_udp("www.example.org", RecordType::kA, 1000);
    ask_udp("www.example.org", RecordType::kA, 2000);
    const auto first = take_ask();
    const auto second = take_ask();
    EXPECT_NE(port_of(first), port_of(second));
    datagram(server, port_of(second), answer_to(second));
    datagram(server, port_of(first), answer_to(first));
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0].to.client.port, 2000);
    EXPECT_EQ(answers[1].to.client.port, 1000);
}

TEST_F(StubTunnel, FailsAfterTenSeconds) {
    ask_udp("www.example.org");
    ask_tcp("www.example.org");
    pass(10s - 1ns);
    EXPECT_EQ(take_answers(), "");
    pass(1ns);
    EXPECT_EQ(take_answers(), "SERVFAIL, SERVFAIL");
}

TEST_F(StubTunnel, FailsWhatDoesNotReachTheServer) {
    ask_udp("a.example.org");
    const auto asked = take_ask();
    stub.handle_tunnel_unreachable(socket("10.0.0.54:53"), port_of(asked), now);
    drain();
    EXPECT_EQ(take_answers(), "");
    stub.handle_tunnel_unreachable(server, port_of(asked), now);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(StubTunnel, FailsConnectionsWhenRoutesChange) {
    ask_tcp("a.example.org");
    ask_udp("b.example.org");
    stub.set_tunnelled({test::ip("10.0.0.53")}, now);
    drain();
    EXPECT_EQ(take_answers(), "");
    stub.set_tunnelled({test::ip("10.0.0.53"), test::ip("10.0.0.54")}, now);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL");
    EXPECT_EQ(stub.pending(), 1U);
}

TEST_F(StubTunnel, FailsOverTcpOnAnotherNetwork) {  // T6
    ask_tcp("a.example.org");
    stub.handle_network_reset(now);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(StubTunnel, IsBoundedForItself) {
    for (unsigned i = 0; i < kTunnelQueries + 20; ++i) {
        ask_udp("www.example.org", RecordType::kA, static_cast<std::uint16_t>(1000 + i / 100));
    }
    EXPECT_EQ(stub.pending(), kTunnelQueries);
}

TEST_F(StubTunnel, ConnectsTheSiteAndAsksItsGateway) {  // F8, G1, G2
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    ask_tcp("_ldap._tcp.corp.example", RecordType::kSrv);
    EXPECT_EQ(sites, (std::vector{id(4), id(4)}));
    EXPECT_TRUE(asks.empty());

    stub.handle_site_connected(id(4), site, now);
    drain();

    ASSERT_EQ(asks.size(), 2U);
    const auto udp = asks[0];
    EXPECT_EQ(take_routes(), "tunnel udp 100.64.0.2:53535, tunnel tcp 100.64.0.2:53535");
    EXPECT_TRUE(datagram(socket("100.64.0.2:53535"), port_of(udp), answer_to(udp)));
    EXPECT_EQ(answers.at(0).to.asked.ip, test::ip(kSentinel));
    EXPECT_EQ(take_answers(), "NOERROR");
    EXPECT_TRUE(names.empty());
}

TEST_F(StubTunnel, AsksTheGatewayOverTheFamilyOfTheSentinel) {
    set_portal({"[2001:db8::53]:53"});
    stub.handle_site_connected(id(4), site, now);
    ask(over_udp("fd00:2021:1111:8000:100:100:111:0"), query("_cfg.corp.example", RecordType::kTxt));
    EXPECT_EQ(take_routes(), "tunnel udp [fd00:2021:1111::2]:53535");
    EXPECT_TRUE(sites.empty());
}

TEST_F(StubTunnel, ConnectsTheSiteAgainOnceItIsLost) {
    stub.handle_site_connected(id(4), site, now);
    stub.handle_site_lost(id(4));
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    EXPECT_EQ(sites, std::vector{id(4)});
    EXPECT_TRUE(asks.empty());
    pass(10s);
    EXPECT_EQ(take_answers(), "SERVFAIL");
}

TEST_F(StubTunnel, WaitsForASiteAcrossNetworks) {
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    stub.handle_network_reset(now);
    stub.handle_site_connected(id(4), site, now);
    drain();
    EXPECT_EQ(take_routes(), "tunnel udp 100.64.0.2:53535");
}

TEST_F(StubTunnel, FailsWhatWaitsForAResourceThatGoes) {
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    ask_tcp("_cfg.corp.example", RecordType::kTxt);
    stub.remove_resource(id(4), now);
    drain();
    EXPECT_EQ(take_answers(), "SERVFAIL, SERVFAIL");
    stub.handle_site_connected(id(4), site, now);
    drain();
    EXPECT_TRUE(asks.empty());
}

TEST_F(StubTunnel, KeepsTheNewestOfWhatWaitsForASite) {
    for (unsigned i = 0; i < kQueriesPerSite + 2; ++i) {
        ask_udp("t" + std::to_string(i) + ".corp.example", RecordType::kTxt);
    }
    EXPECT_EQ(take_answers(), "SERVFAIL, SERVFAIL");
    ask_tcp("t.corp.example", RecordType::kTxt);
    stub.handle_site_connected(id(4), site, now);
    drain();
    ASSERT_EQ(asks.size(), kQueriesPerSite + 1);
    EXPECT_EQ(Message::parse_query(asks[0].message)->question().name.to_string(), "t2.corp.example");
}

TEST_F(StubTunnel, RemembersTextsOfResourcesUntilTheyChange) {
    stub.handle_site_connected(id(4), site, now);
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    const auto asked = take_ask();
    datagram(socket("100.64.0.2:53535"), port_of(asked),
             test::response(asked.message, {{.owner = test::name("_cfg.corp.example"),
                                             .type = RecordType::kTxt,
                                             .ttl = 60,
                                             .data = *from_hex("0161")}}));
    EXPECT_EQ(take_answers(), "NOERROR type16");
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    EXPECT_EQ(take_answers(), "NOERROR type16");
    stub.remove_resource(id(4), now);
    ask_udp("_cfg.corp.example", RecordType::kTxt);
    EXPECT_EQ(take_routes(), "tunnel udp 10.0.0.53:53");
}

}  // namespace
}  // namespace culvert::dns
