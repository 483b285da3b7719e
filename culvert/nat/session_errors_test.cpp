// ICMP errors about packets of sessions, in both directions: what path-MTU discovery, traceroute and "port unreachable"
// need.

#include <gtest/gtest.h>

#include "culvert/nat/session_table.h"
#include "culvert/nat/testing/clients.h"
#include "culvert/packet/icmp_error.h"

namespace culvert::nat {
namespace {

using namespace std::chrono_literals;
using test::address;
using test::client_id;
using test::Packet;
using test::send;
using test::udp;
using In = SessionTable::In;

class SessionErrorsTest : public ::testing::Test {
protected:
    /// An error of `router` about what the client sent, as it left the gateway.
    static Packet about(const Packet& sent, std::string_view router, std::uint8_t type, std::uint8_t code,
                        std::uint32_t rest = 0) {
        return Packet{packet::make_icmp(address(router), sent.view.source(), type, code, rest, sent.bytes)};
    }
    static packet::IcmpError read(const Packet& packet) {
        return packet::inspect_icmp_error(packet.view).value().value();
    }

    Instant now = Instant{} + 1h;
    SessionTable table{{}, Rng::from_number(1)};
};

TEST_F(SessionErrorsTest, TheClientHearsThatAPortIsUnreachable) {
    auto first = udp("100.64.0.1:5000", "100.96.0.5:53");
    ASSERT_TRUE(send(table, 1, first, "10.0.0.1", now));
    auto sent = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, sent, "10.0.0.1", now));
    ASSERT_EQ(sent.view.source_port(), 5001) << "so that ports have to be translated";

    const auto [result, bytes] = table.translate_error_in(client_id(1), read(about(sent, "10.0.0.1", 3, 3)), now);

    ASSERT_EQ(result, In::kTranslated);
    const Packet heard{bytes};
    EXPECT_TRUE(heard.view.checksums_are_valid());
    EXPECT_EQ(heard.view.source(), address("100.96.0.1"));
    EXPECT_EQ(heard.view.destination(), address("100.64.0.1"));
    const auto error = read(heard);
    EXPECT_EQ(error.type, 3);
    EXPECT_EQ(error.code, 3);
    EXPECT_EQ(error.embedded.source, address("100.64.0.1"));
    EXPECT_EQ(error.embedded.destination, address("100.96.0.1"));
    EXPECT_EQ(error.embedded.source_value.value, 5000);
    EXPECT_EQ(error.embedded.destination_value.value, 53);
}

TEST_F(SessionErrorsTest, TheClientLearnsThePathMtu) {
    auto sent = udp("[fd00:2021:1111::1]:5000", "[fd00:2021:1111:8000::]:53");
    ASSERT_TRUE(send(table, 1, sent, "2001:db8::1", now));

    const auto [result, bytes] =
        table.translate_error_in(client_id(1), read(about(sent, "2001:db8:99::1", 2, 0, 1270)), now);

    ASSERT_EQ(result, In::kTranslated);
    const Packet heard{bytes};
    EXPECT_EQ(heard.view.source(), address("fd00:2021:1111:8000::")) << "every hop appears as the proxy IP";
    EXPECT_EQ(read(heard).next_hop_mtu(), 1270U);
    EXPECT_EQ(read(heard).embedded.destination, address("fd00:2021:1111:8000::"));
}

TEST_F(SessionErrorsTest, TracingWithEchoesWorks) {
    Packet sent{packet::make_icmp_echo_request(address("100.64.0.1"), address("100.96.0.1"), 77, 3, as_bytes("hop"))};
    ASSERT_TRUE(send(table, 1, sent, "10.0.0.1", now));

    const auto [result, bytes] = table.translate_error_in(client_id(1), read(about(sent, "192.0.2.99", 11, 0)), now);

    ASSERT_EQ(result, In::kTranslated);
    EXPECT_EQ(read(Packet{bytes}).embedded.source_value.value, 77);
    EXPECT_EQ(read(Packet{bytes}).embedded.destination, address("100.96.0.1"));
}

TEST_F(SessionErrorsTest, ErrorsAboutOtherThingsAreNotTranslated) {
    auto sent = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, sent, "10.0.0.1", now));

    EXPECT_EQ(table.translate_error_in(client_id(2), read(about(sent, "10.0.0.1", 3, 3)), now).result,
              In::kNotTranslated)
        << "of another client";
    auto other = udp("100.64.0.1:5000", "10.0.0.2:53");
    EXPECT_EQ(table.translate_error_in(client_id(1), read(about(other, "10.0.0.2", 3, 3)), now).result,
              In::kNotTranslated)
        << "of another resource";
    now += 10min;
    EXPECT_EQ(table.translate_error_in(client_id(1), read(about(sent, "10.0.0.1", 3, 3)), now).result, In::kLate);
}

TEST_F(SessionErrorsTest, TheResourceHearsWhatTheClientDidNotTake) {
    auto before = udp("100.64.0.1:5000", "100.96.0.5:53");
    ASSERT_TRUE(send(table, 1, before, "10.0.0.1", now));
    auto request = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));
    auto answer = udp("10.0.0.1:53", "100.64.0.1:5001");
    const auto original = answer.bytes;
    ASSERT_EQ(table.translate_in(client_id(1), answer.view, now), In::kTranslated);

    const Packet complaint{packet::make_icmp(address("100.64.0.1"), address("100.96.0.1"), 3, 3, 0, answer.bytes)};
    const auto bytes = table.translate_error_out(client_id(1), complaint.view, read(complaint), now);

    ASSERT_TRUE(bytes.has_value());
    const Packet heard{*bytes};
    EXPECT_TRUE(heard.view.checksums_are_valid());
    EXPECT_EQ(heard.view.source(), address("100.64.0.1"));
    EXPECT_EQ(heard.view.destination(), address("10.0.0.1"));
    const auto embedded = read(heard).embedded;
    EXPECT_EQ(embedded.source, address("10.0.0.1"));
    EXPECT_EQ(embedded.source_value.value, 53);
    EXPECT_EQ(embedded.destination, address("100.64.0.1"));
    EXPECT_EQ(embedded.destination_value.value, 5001) << "as it was sent";
}

TEST_F(SessionErrorsTest, AClientComplainsOnlyAboutItsOwn) {
    auto request = udp("100.64.0.1:5000", "100.96.0.1:53");
    ASSERT_TRUE(send(table, 1, request, "10.0.0.1", now));
    auto answer = udp("100.96.0.1:53", "100.64.0.1:5000");
    const auto complain = [&](std::uint8_t client, std::string_view from, std::string_view to, const Packet& packet) {
        const Packet complaint{packet::make_icmp(address(from), address(to), 3, 3, 0, packet.bytes)};
        return table.translate_error_out(client_id(client), complaint.view, read(complaint), now).has_value();
    };
    EXPECT_TRUE(complain(1, "100.64.0.1", "100.96.0.1", answer));
    EXPECT_FALSE(complain(2, "100.64.0.1", "100.96.0.1", answer)) << "another client";
    EXPECT_FALSE(complain(1, "100.64.0.1", "100.96.0.2", answer)) << "to somebody else";
    EXPECT_FALSE(complain(1, "100.64.0.9", "100.96.0.1", answer)) << "from somebody else";
    EXPECT_FALSE(complain(1, "100.64.0.1", "100.96.0.1", udp("100.96.0.1:53", "100.64.0.1:5001"))) << "never sent";
    Packet echo{packet::make_icmp_echo_request(address("100.96.0.1"), address("100.64.0.1"), 5000, 1, {})};
    EXPECT_FALSE(complain(1, "100.64.0.1", "100.96.0.1", echo)) << "never asked";
    now += 10min;
    EXPECT_FALSE(complain(1, "100.64.0.1", "100.96.0.1", answer)) << "too late";
}

}  // namespace
}  // namespace culvert::nat
