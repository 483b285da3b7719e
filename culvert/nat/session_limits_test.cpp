// Nobody uses up the table, and nobody pushes out others.

#include <gtest/gtest.h>

#include "culvert/nat/constants.h"
#include "culvert/nat/session_table.h"
#include "culvert/nat/testing/clients.h"
#include "culvert/packet/constants.h"

namespace culvert::nat {
namespace {

using namespace std::chrono_literals;
using packet::kTcpAck;
using packet::kTcpSyn;
using test::client_id;
using test::Packet;
using test::tcp;
using In = SessionTable::In;

class SessionLimitsTest : public ::testing::Test {
protected:
    static net::IpAddress ip(std::uint8_t client) {
        return net::IpAddress{std::array<std::uint8_t, 4>{100, 64, 0, client}};
    }
    void open(std::uint8_t client, std::uint16_t port) {
        Packet packet{packet::make_udp({ip(client), port}, test::socket("100.96.0.1:53"), {})};
        ASSERT_TRUE(test::send(table, client, packet, "10.0.0.1", now));
    }
    bool is_there(std::uint8_t client, std::uint16_t port) {
        Packet packet{packet::make_udp(test::socket("10.0.0.1:53"), {ip(client), port}, {})};
        return table.translate_in(client_id(client), packet.view, now) == In::kTranslated;
    }

    Instant now = Instant{} + 1h;
    SessionTable table{{.total = 100, .per_client = 40}, Rng::from_number(1)};
};

TEST_F(SessionLimitsTest, AClientThatOpensTooManyLosesItsOwn) {
    open(2, 1);
    for (std::uint16_t port = 1; port <= 500; ++port) {
        open(1, port);
        now += 1ms;
        ASSERT_LE(table.size(client_id(1)), 40U);
    }
    EXPECT_TRUE(is_there(2, 1));
    EXPECT_TRUE(is_there(1, 500));
    EXPECT_TRUE(is_there(1, 461));
    EXPECT_FALSE(is_there(1, 460));
}

TEST_F(SessionLimitsTest, WhoeverHasMostLosesOneIfTheTableIsFull) {
    for (std::uint16_t port = 1; port <= 40; ++port) {
        open(1, port);
        open(2, port);
    }
    for (std::uint16_t port = 1; port <= 20; ++port) {
        open(3, port);
    }
    ASSERT_EQ(table.size(), 100U);

    for (std::uint16_t port = 21; port <= 30; ++port) {
        open(3, port);
    }

    EXPECT_EQ(table.size(), 100U);
    EXPECT_EQ(table.size(client_id(3)), 30U);
    EXPECT_GE(table.size(client_id(1)), 33U);
    EXPECT_GE(table.size(client_id(2)), 33U);
}

TEST_F(SessionLimitsTest, ManyCannotPushOutTheFewOfOne) {
    open(1, 1);
    for (std::uint8_t client = 2; client < 60; ++client) {
        for (std::uint16_t port = 1; port <= 3; ++port) {
            open(client, port);
        }
        ASSERT_LE(table.size(), 100U);
    }
    EXPECT_TRUE(is_there(1, 1));
}

TEST_F(SessionLimitsTest, WhatIsLeastMissedGoesFirst) {
    auto syn = tcp("100.64.0.1:1", "100.96.0.9:443", kTcpSyn);
    ASSERT_TRUE(test::send(table, 1, syn, "10.0.0.9", now));
    auto syn_ack = tcp("10.0.0.9:443", "100.64.0.1:1", kTcpSyn | kTcpAck);
    ASSERT_EQ(table.translate_in(client_id(1), syn_ack.view, now), In::kTranslated);
    auto ack = tcp("100.64.0.1:1", "100.96.0.9:443", kTcpAck);
    ASSERT_TRUE(test::send(table, 1, ack, "10.0.0.9", now));
    open(1, 1);
    for (std::uint16_t port = 1; port <= 200; ++port) {
        Packet scan{packet::make_tcp({ip(1), port}, test::socket("100.96.0.2:80"), {.flags = kTcpSyn}, {})};
        ASSERT_TRUE(test::send(table, 1, scan, "10.0.0.2", now));
    }

    EXPECT_TRUE(is_there(1, 1)) << "datagrams outlive what is half open";
    auto data = tcp("10.0.0.9:443", "100.64.0.1:1", kTcpAck);
    EXPECT_EQ(table.translate_in(client_id(1), data.view, now), In::kTranslated) << "and so do connections";
}

TEST_F(SessionLimitsTest, WhatIsOverGoesBeforeAnythingElse) {
    for (std::uint16_t port = 1; port <= 30; ++port) {
        open(1, port);
    }
    now += 125s;
    for (std::uint16_t port = 1; port <= 30; ++port) {
        EXPECT_FALSE(is_there(1, port));
    }
    for (std::uint16_t port = 101; port <= 140; ++port) {
        open(1, port);
    }
    for (std::uint16_t port = 101; port <= 140; ++port) {
        EXPECT_TRUE(is_there(1, port)) << port;
    }
    EXPECT_EQ(table.size(), 40U);
}

TEST_F(SessionLimitsTest, DoesNotGrowForeverBelowItsLimits) {
    SessionTable roomy{{}, Rng::from_number(2)};
    for (int i = 0; i < 20'000; ++i) {
        now += 1s;
        Packet packet{
            packet::make_udp({ip(1), static_cast<std::uint16_t>(1 + i % 60'000)}, test::socket("100.96.0.1:53"), {})};
        ASSERT_TRUE(test::send(roomy, 1, packet, "10.0.0.1", now));
    }
    EXPECT_LT(roomy.size(), 600U);
}

}  // namespace
}  // namespace culvert::nat
