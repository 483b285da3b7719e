#include "culvert/tunnel/gateway/site_dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/overloaded.h"
#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/test_messages.h"
#include "culvert/packet/builder.h"
#include "culvert/tcp/endpoints.h"
#include "culvert/tcp/message_reader.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using dns::RecordType;
using test::ip;
using test::socket;

class SiteDnsTest : public ::testing::Test {
protected:
    SiteDnsTest() {
        site.set_addresses(ip("100.64.1.1"), ip("fd00:2021:1111::1:1"), now);
        site.set_nameservers({ip("192.0.2.53")}, now);
        drain();
        answer_asks();  // which compare nameservers
    }

    void drain() {
        while (const auto packet = site.poll_transmit()) {
            packets.push_back(*packet);
        }
        while (auto event = site.poll_event()) {
            std::visit(overloaded{[&](dns::Ask& ask) { asks.push_back(std::move(ask)); },
                                  [&](const dns::StopAsking& stop) { stopped.push_back(stop.id); }},
                       *event);
        }
        contract::expect_spurious_timeout_is_invisible(site, now);
    }
    void answer_asks() {
        for (const auto& ask : std::exchange(asks, {})) {
            site.handle_response(ask.id, dns::test::response(ask.message, {}, 0x8180), now);
        }
        drain();
    }
    void ask(std::string_view name, std::string_view client = "100.64.0.1:4000",
             std::string_view server = "100.64.1.1:53535") {
        auto packet = packet::make_udp(socket(client), socket(server), dns::test::query(name, RecordType::kTxt));
        handle(packet);
    }
    void handle(Bytes& bytes) {
        const auto packet = packet::IpPacket::parse(bytes).value();
        ASSERT_TRUE(SiteDns::is_query(packet));
        site.handle_packet(packet, now);
        drain();
    }
    /// "100.64.1.1:53535 > 100.64.0.1:4000 NOERROR"
    std::string take_answer() {
        if (packets.empty()) {
            return "none";
        }
        auto bytes = packets.front();
        packets.erase(packets.begin());
        const auto packet = packet::IpPacket::parse(bytes).value();
        EXPECT_TRUE(packet.checksums_are_valid());
        return net::SocketAddress{packet.source(), packet.source_port()}.to_string() + " > " +
               net::SocketAddress{packet.destination(), packet.destination_port()}.to_string() + ' ' +
               dns::test::summary(packet.payload());
    }

    /// Lets a program of a client and the site exchange what they have, and yields what the former can read.
    std::string exchange(tcp::Endpoints& client, tcp::ConnectionId connection) {
        for (bool is_moving = true; is_moving;) {
            is_moving = false;
            while (auto sent = client.poll_transmit()) {
                is_moving = true;
                handle(*sent);
            }
            for (auto& packet : std::exchange(packets, {})) {
                is_moving = true;
                client.handle_packet(packet::IpPacket::parse(packet).value(), tcp::Checksums::kVerify, now);
            }
        }
        const auto readable = client.readable(connection);
        std::size_t taken = 0;
        tcp::MessageReader reader;
        const auto message = reader.read(readable, taken);
        return message ? dns::test::summary(*message) : "nothing";
    }

    Instant now{};
    SiteDns site{Rng::from_number(1), now};
    std::vector<Bytes> packets;
    std::vector<dns::Ask> asks;
    std::vector<dns::AskId> stopped;
};

TEST_F(SiteDnsTest, AsksTheNameserversOfTheHost) {
    ask("_cfg.corp.example");
    ASSERT_EQ(asks.size(), 1U);
    EXPECT_EQ(std::get<dns::ViaHost>(asks[0].route).server, socket("192.0.2.53:53"));
    EXPECT_EQ(asks[0].transport, dns::Transport::kUdp);
    EXPECT_EQ(take_answer(), "none");

    answer_asks();
    EXPECT_EQ(take_answer(), "100.64.1.1:53535 > 100.64.0.1:4000 NOERROR");
}

TEST_F(SiteDnsTest, AnswersOverIpv6) {
    ask("a.example", "[fd00:2021:1111::1]:4000", "[fd00:2021:1111::1:1]:53535");
    answer_asks();
    EXPECT_EQ(take_answer(), "[fd00:2021:1111::1:1]:53535 > [fd00:2021:1111::1]:4000 NOERROR");
}

TEST_F(SiteDnsTest, AnswersFailuresToo) {
    ask("a.example");
    site.handle_failure(asks.at(0).id, now);
    drain();
    EXPECT_EQ(take_answer(), "100.64.1.1:53535 > 100.64.0.1:4000 SERVFAIL");

    ask("b.example");
    now += 5s;
    site.handle_timeout(now);
    drain();
    EXPECT_EQ(take_answer(), "100.64.1.1:53535 > 100.64.0.1:4000 SERVFAIL");
}

TEST_F(SiteDnsTest, AnswersAtOnceWithoutNameservers) {
    SiteDns lonely{Rng::from_number(2), now};
    lonely.set_addresses(ip("100.64.1.1"), ip("fd00:2021:1111::1:1"), now);
    auto packet =
        packet::make_udp(socket("100.64.0.1:4000"), socket("100.64.1.1:53535"), dns::test::query("a.example"));
    lonely.handle_packet(packet::IpPacket::parse(packet).value(), now);

    packets.push_back(lonely.poll_transmit().value());
    EXPECT_EQ(take_answer(), "100.64.1.1:53535 > 100.64.0.1:4000 SERVFAIL");
}

TEST_F(SiteDnsTest, IgnoresWhatIsNoQuery) {
    auto garbage = packet::make_udp(socket("100.64.0.1:4000"), socket("100.64.1.1:53535"), Bytes(5));
    handle(garbage);
    auto corrupt =
        packet::make_udp(socket("100.64.0.1:4000"), socket("100.64.1.1:53535"), dns::test::query("a.example"));
    corrupt.back() ^= std::byte{1};
    handle(corrupt);

    EXPECT_TRUE(asks.empty());
    EXPECT_EQ(take_answer(), "none");
}

TEST_F(SiteDnsTest, AnswersOverTcp) {
    tcp::Endpoints client{{}, Rng::from_number(3)};
    const auto connection = client.connect(ip("100.64.0.1"), socket("100.64.1.1:53535"), now).value();
    EXPECT_EQ(exchange(client, connection), "nothing");
    ASSERT_TRUE(client.write(connection, tcp::with_length(dns::test::query("a.example")), now));
    EXPECT_EQ(exchange(client, connection), "nothing");
    ASSERT_EQ(asks.size(), 1U);
    EXPECT_EQ(asks[0].transport, dns::Transport::kTcp);

    answer_asks();
    EXPECT_EQ(exchange(client, connection), "NOERROR");
}

TEST_F(SiteDnsTest, ClosesTcpConnectionsThatCarryNoQueries) {
    tcp::Endpoints client{{}, Rng::from_number(3)};
    const auto connection = client.connect(ip("100.64.0.1"), socket("100.64.1.1:53535"), now).value();
    exchange(client, connection);
    ASSERT_TRUE(client.write(connection, tcp::with_length(Bytes(12)), now));
    exchange(client, connection);

    EXPECT_FALSE(client.exists(connection));
}

// A client that opens all the connections that it can must leave some to others.
TEST_F(SiteDnsTest, NobodyKeepsOthersFromConnecting) {
    tcp::Endpoints greedy{{.connections = 1000, .per_peer = 1000, .half_open_per_peer = 1000}, Rng::from_number(3)};
    for (int i = 0; i < 300; ++i) {
        exchange(greedy, greedy.connect(ip("100.64.0.1"), socket("100.64.1.1:53535"), now).value());
    }
    tcp::Endpoints modest{{}, Rng::from_number(4)};
    const auto connection = modest.connect(ip("100.64.0.2"), socket("100.64.1.1:53535"), now).value();
    exchange(modest, connection);
    ASSERT_TRUE(modest.write(connection, tcp::with_length(dns::test::query("a.example")), now));
    exchange(modest, connection);

    EXPECT_EQ(asks.size(), 1U);
}

TEST_F(SiteDnsTest, OtherNameserversTakeOver) {
    ask("a.example");
    const auto before = asks.at(0).id;
    asks.clear();
    site.set_nameservers({ip("192.0.2.53")}, now);
    drain();
    EXPECT_EQ(take_answer(), "none") << "nothing changed";

    site.set_nameservers({ip("192.0.2.54")}, now);
    drain();
    EXPECT_EQ(take_answer(), "100.64.1.1:53535 > 100.64.0.1:4000 SERVFAIL");
    EXPECT_THAT(stopped, testing::Contains(before));
    for (const auto& probe : asks) {
        EXPECT_GT(probe.id, before) << "ids are never used again";
    }
    answer_asks();
    ask("b.example");
    ASSERT_EQ(asks.size(), 1U);
    EXPECT_EQ(std::get<dns::ViaHost>(asks[0].route).server, socket("192.0.2.54:53"));
    site.handle_response(before, dns::test::response(asks[0].message, {}, 0x8180), now);
    drain();
    EXPECT_EQ(take_answer(), "none") << "of the one before";
}

}  // namespace
}  // namespace culvert::tunnel
