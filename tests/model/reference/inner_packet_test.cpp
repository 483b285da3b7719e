#include "tests/model/reference/inner_packet.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"

namespace culvert::model {
namespace {

net::SocketAddress socket(std::string_view text) {
    return *net::SocketAddress::parse(text);
}

Bytes marked(std::uint64_t number, std::size_t length) {
    auto payload = to_bytes(as_bytes(kMarker));
    append_be(payload, number);
    payload.resize(length, std::byte{0x5a});
    return payload;
}

TEST(InnerPacket, ReadsUdpOverBothFamilies) {
    for (const auto* text : {"10.0.0.1:1000", "[fd00::1]:1000"}) {
        const auto bytes = packet::make_udp(socket(text), {socket(text).ip, 53}, marked(77, 33), {.ttl = 9});

        const auto packet = read_packet(bytes);

        ASSERT_TRUE(packet);
        EXPECT_EQ(packet->source, socket(text).ip);
        EXPECT_EQ(packet->source_port, 1000);
        EXPECT_EQ(packet->destination_port, 53);
        EXPECT_EQ(packet->ttl, 9);
        EXPECT_EQ(packet->marker, 77U);
        EXPECT_TRUE(are_checksums_right(*packet));
    }
}

TEST(InnerPacket, ReadsEchoIdentifierAsPort) {
    const auto ip = socket("10.0.0.1:1").ip;
    const auto bytes = packet::make_icmp_echo_request(ip, ip, 4711, 2, marked(1, 16));

    const auto packet = read_packet(bytes);

    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->source_port, 4711);
    EXPECT_EQ(packet->marker, 1U);
    EXPECT_FALSE(packet->is_icmp_error());
}

TEST(InnerPacket, TellsSynFromItsAnswer) {
    const auto syn = packet::make_tcp(socket("10.0.0.1:1"), socket("10.0.0.2:80"), {.sequence = 9, .flags = 2}, {});
    const auto answer =
        packet::make_tcp(socket("10.0.0.2:80"), socket("10.0.0.1:1"), {.acknowledgement = 10, .flags = 0x12}, {});

    EXPECT_TRUE(read_packet(syn)->is_syn());
    EXPECT_EQ(read_packet(syn)->tcp_sequence, 9U);
    EXPECT_TRUE(read_packet(answer)->is_syn_ack());
    EXPECT_EQ(read_packet(answer)->tcp_acknowledgement, 10U);
}

TEST(InnerPacket, ReadsWhatAnErrorQuotesEvenIfItIsCutShort) {
    const auto quoted = packet::make_tcp(socket("10.0.0.1:1"), socket("10.0.0.2:80"), {.sequence = 9}, Bytes(100));
    const auto error =
        packet::make_icmp(socket("10.0.0.2:1").ip, socket("10.0.0.1:1").ip, 3, 13, 0, ByteSpan{quoted}.first(28));

    const auto packet = read_packet(error);
    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->is_prohibited());
    const auto inner = read_quoted(*packet);
    ASSERT_TRUE(inner);
    EXPECT_EQ(inner->destination_port, 80);
    EXPECT_EQ(inner->tcp_sequence, 9U);
}

TEST(InnerPacket, FindsEveryFlippedBitByItsChecksums) {
    auto bytes = packet::make_udp(socket("10.0.0.1:1"), socket("10.0.0.2:2"), marked(3, 21));
    for (std::size_t i = 12; i < bytes.size(); ++i) {
        bytes[i] ^= std::byte{4};
        if (const auto packet = read_packet(bytes)) {
            EXPECT_FALSE(are_checksums_right(*packet)) << "byte " << i;
        }
        bytes[i] ^= std::byte{4};
    }
}

TEST(InnerPacket, RecognisesFragments) {
    auto bytes = packet::make_udp(socket("10.0.0.1:1"), socket("10.0.0.2:2"), Bytes(8), {.dont_fragment = false});
    bytes[6] = std::byte{0x20};

    EXPECT_TRUE(read_packet(bytes)->is_fragment);
}

TEST(InnerPacket, RejectsIncompletePackets) {
    const auto bytes = packet::make_udp(socket("10.0.0.1:1"), socket("10.0.0.2:2"), Bytes(8));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        EXPECT_FALSE(read_packet(ByteSpan{bytes}.first(length)));
    }
}

TEST(InnerPacket, ToleratesOnlyCongestionMarksAsChange) {
    const auto build = [](net::Ecn ecn, std::uint8_t ttl = 64) {
        return packet::make_udp(socket("[fd00::1]:1"), socket("[fd00::2]:2"), Bytes(8), {.ttl = ttl, .ecn = ecn});
    };
    const auto is_same = [](const Bytes& a, const Bytes& b) { return is_unchanged(*read_packet(a), *read_packet(b)); };

    EXPECT_TRUE(is_same(build(net::Ecn::kEct0), build(net::Ecn::kEct0)));
    EXPECT_TRUE(is_same(build(net::Ecn::kEct1), build(net::Ecn::kCe)));
    EXPECT_FALSE(is_same(build(net::Ecn::kNotEct), build(net::Ecn::kCe)));
    EXPECT_FALSE(is_same(build(net::Ecn::kCe), build(net::Ecn::kEct0)));
    EXPECT_FALSE(is_same(build(net::Ecn::kEct0, 64), build(net::Ecn::kEct0, 63)));
}

}  // namespace
}  // namespace culvert::model
