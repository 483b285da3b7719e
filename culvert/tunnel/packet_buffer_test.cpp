#include "culvert/tunnel/packet_buffer.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::socket;
using Outcome = PacketBuffer::Outcome;

Bytes udp_packet(std::uint16_t number) {
    Bytes payload;
    append_be(payload, number);
    return packet::make_udp(socket("100.64.0.1:5000"), socket("10.0.0.1:53"), payload);
}

Bytes tcp_packet(std::uint8_t flags, std::uint32_t sequence, std::uint8_t timestamp) {
    packet::TcpFields tcp;
    tcp.sequence = sequence;
    tcp.flags = flags;
    tcp.options = {std::byte{1}, std::byte{1}, std::byte{1}, std::byte{timestamp}};
    return packet::make_tcp(socket("100.64.0.1:5000"), socket("10.0.0.1:80"), tcp, {});
}

TEST(PacketBuffer, KeepsEqualPacketsOnce) {
    PacketBuffer buffer{4};

    EXPECT_EQ(buffer.push(udp_packet(1)), Outcome::kAppended);
    EXPECT_EQ(buffer.push(udp_packet(2)), Outcome::kAppended);
    EXPECT_EQ(buffer.push(udp_packet(1)), Outcome::kDuplicate);

    EXPECT_EQ(buffer.size(), 2U);
}

TEST(PacketBuffer, ReplacesARepeatedSynInPlace) {
    PacketBuffer buffer{4};
    buffer.push(tcp_packet(packet::kTcpSyn, 7, 1));
    buffer.push(udp_packet(1));

    EXPECT_EQ(buffer.push(tcp_packet(packet::kTcpSyn, 7, 2)), Outcome::kReplacedSyn);

    ASSERT_EQ(buffer.size(), 2U);
    EXPECT_TRUE(equal(buffer[0], tcp_packet(packet::kTcpSyn, 7, 2)));
    EXPECT_TRUE(equal(buffer[1], udp_packet(1)));
}

TEST(PacketBuffer, TakesNothingElseForARepeatedSyn) {
    PacketBuffer buffer{8};
    buffer.push(tcp_packet(packet::kTcpSyn, 7, 1));

    EXPECT_EQ(buffer.push(tcp_packet(packet::kTcpSyn, 8, 2)), Outcome::kAppended);
    EXPECT_EQ(buffer.push(tcp_packet(packet::kTcpSyn | packet::kTcpAck, 7, 3)), Outcome::kAppended);
    EXPECT_EQ(buffer.push(tcp_packet(packet::kTcpSyn | packet::kTcpAck, 7, 4)), Outcome::kAppended);
    EXPECT_EQ(buffer.push(tcp_packet(packet::kTcpAck, 7, 5)), Outcome::kAppended);
}

TEST(PacketBuffer, OverwritesTheOldestWhenFull) {
    PacketBuffer buffer{3};
    for (std::uint16_t i = 0; i < 3; ++i) {
        buffer.push(udp_packet(i));
    }

    EXPECT_EQ(buffer.push(udp_packet(3)), Outcome::kOverwroteOldest);

    ASSERT_EQ(buffer.size(), 3U);
    EXPECT_TRUE(equal(buffer[0], udp_packet(1)));
    EXPECT_TRUE(equal(buffer[2], udp_packet(3)));
}

TEST(PacketBuffer, TakesBytesThatAreNoPacket) {
    PacketBuffer buffer{2};

    EXPECT_EQ(buffer.push(as_bytes("hello")), Outcome::kAppended);
    EXPECT_EQ(buffer.push({}), Outcome::kAppended);
    EXPECT_EQ(buffer.push(as_bytes("hello")), Outcome::kDuplicate);
}

}  // namespace
}  // namespace culvert::tunnel
