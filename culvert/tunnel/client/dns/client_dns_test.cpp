#include "culvert/tunnel/client/dns/client_dns.h"

#include "culvert/tunnel/client/dns/client_dns_fixture.h"

namespace culvert::tunnel {
namespace {

using dns::RecordType;
using dns::test::query;

/// Packets of programs to the sentinels, and what comes back.
class ClientDnsHost : public ClientDnsFixture {
protected:
    ClientDnsHost() { client_dns.add_resource(id(1), "app.example.com", dns::IpStack::kDual); }
};

TEST_F(ClientDnsHost, AnswersFromTheSentinelThatWasAsked) {  // Q1, Q2
    ask("app.example.com");
    EXPECT_EQ(take_datagrams(), "100.100.111.1:53 NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4");
    ask("app.example.com", RecordType::kAaaa, kSentinelV6);
    EXPECT_EQ(take_datagrams(),
              "[fd00:2021:1111:8000:100:100:111:0]:53 NOERROR fd00:2021:1111:8000:: fd00:2021:1111:8000::1 "
              "fd00:2021:1111:8000::2 fd00:2021:1111:8000::3");
    EXPECT_EQ(names, (std::vector<std::string>{"app.example.com", "app.example.com"}));
    EXPECT_TRUE(client_dns.take_records_changed());
    EXPECT_FALSE(client_dns.take_records_changed());
}

TEST_F(ClientDnsHost, AnswersOverTcp) {
    for (const auto sentinel : {kSentinel, kSentinelV6}) {
        const auto connection = connect(sentinel);
        say(connection, query("app.example.com"));
        EXPECT_EQ(hear_answers(connection), "NOERROR 100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4");
    }
}

TEST_F(ClientDnsHost, PassesOnOverTheTransportOfTheQuery) {
    ask("www.example.org");
    const auto connection = connect(kSentinelV6);
    say(connection, query("www.example.org"));
    ASSERT_EQ(asks.size(), 2U);
    for (const auto& asked : asks) {
        const auto record = dns::test::a_record("www.example.org", 1, "198.51.100.7");
        client_dns.handle_response(asked.id, dns::test::response(asked.message, {record}), now);
    }
    exchange();
    EXPECT_EQ(take_asks(), "192.0.2.1:53 udp, [2001:db8::1]:53 tcp");
    EXPECT_EQ(take_datagrams(), "100.100.111.1:53 NOERROR 198.51.100.7");
    EXPECT_EQ(hear_answers(connection), "NOERROR 198.51.100.7");
}

}  // namespace
}  // namespace culvert::tunnel
