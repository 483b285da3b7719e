#include "culvert/packet/segmenter.h"

#include <gtest/gtest.h>

#include <vector>

#include "culvert/base/rng.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/virtio_net.h"

namespace culvert::packet {
namespace {

using Kind = Offload::Kind;

const auto kV4Source = net::SocketAddress{*net::IpAddress::parse("100.64.0.1"), 40000};
const auto kV4Destination = net::SocketAddress{*net::IpAddress::parse("10.20.0.10"), 5201};
const auto kV6Source = net::SocketAddress{*net::IpAddress::parse("fd00:2021:1111::1"), 40000};
const auto kV6Destination = net::SocketAddress{*net::IpAddress::parse("fd10:20::10"), 5201};

Bytes random_bytes(Rng& rng, std::size_t size) {
    Bytes bytes(size);
    rng.fill(bytes);
    return bytes;
}

std::vector<Bytes> segments_of(Segmenter segmenter) {
    std::vector<Bytes> segments;
    while (const auto segment = segmenter.next()) {
        EXPECT_EQ(segmenter.error(), std::nullopt);
        segments.push_back(to_bytes(*segment));
    }
    return segments;
}

std::vector<Bytes> segments_of(Bytes packet, const Offload& offload) {
    return segments_of(Segmenter{TunPacket{packet, offload}});
}

std::optional<SegmentError> error_of(Bytes packet, const Offload& offload) {
    Segmenter segmenter{TunPacket{packet, offload}};
    const auto error = segmenter.error();
    EXPECT_EQ(error.has_value(), !segmenter.next().has_value());
    return error;
}

Offload super_packet(Kind kind, std::size_t segment_size) {
    return {.kind = kind, .segment_size = static_cast<std::uint16_t>(segment_size), .needs_checksum = true};
}

/// What a sender without offloads would have sent, one packet at a time.
std::vector<Bytes> separate_tcp(bool v4, const TcpFields& tcp, ByteSpan payload, std::size_t size, const IpFields& ip) {
    std::vector<Bytes> packets;
    for (std::size_t at = 0; at < payload.size(); at += size) {
        const auto chunk = payload.subspan(at, std::min(size, payload.size() - at));
        const bool is_last = at + chunk.size() == payload.size();
        auto own_tcp = tcp;
        own_tcp.sequence += static_cast<std::uint32_t>(at);
        if (!is_last) {
            own_tcp.flags &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPsh));
        }
        if (at > 0) {
            own_tcp.flags &= static_cast<std::uint8_t>(~kTcpCwr);
        }
        auto own_ip = ip;
        own_ip.identification = static_cast<std::uint16_t>(ip.identification + packets.size());
        packets.push_back(
            make_tcp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, own_tcp, chunk, own_ip));
    }
    return packets;
}

std::vector<Bytes> separate_udp(bool v4, ByteSpan payload, std::size_t size, const IpFields& ip) {
    std::vector<Bytes> packets;
    for (std::size_t at = 0; at < payload.size(); at += size) {
        auto own_ip = ip;
        own_ip.identification = static_cast<std::uint16_t>(ip.identification + packets.size());
        packets.push_back(make_udp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination,
                                   payload.subspan(at, std::min(size, payload.size() - at)), own_ip));
    }
    return packets;
}

TEST(Segmenter, PassesAnOrdinaryPacketOn) {
    auto packet = make_udp(kV4Source, kV4Destination, as_bytes("hello"), {.ecn = net::Ecn::kEct1});
    const auto copy = packet;

    Segmenter segmenter{TunPacket{packet, {}}};

    EXPECT_EQ(segmenter.ecn(), net::Ecn::kEct1);
    EXPECT_EQ(segmenter.remaining(), 1U);
    const auto segment = segmenter.next();
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->data(), packet.data());
    EXPECT_TRUE(equal(*segment, copy));
    EXPECT_EQ(segmenter.remaining(), 0U);
    EXPECT_FALSE(segmenter.next());
}

TEST(Segmenter, CutsTcpAsASenderWithoutOffloadsWould) {
    auto rng = Rng::from_number(1);
    for (int round = 0; round < 400; ++round) {
        const bool v4 = rng.below(2) == 0;
        const TcpFields tcp{.sequence = round == 0 ? 0xffffff00U : rng.next_u32(),
                            .acknowledgement = rng.next_u32(),
                            .flags = static_cast<std::uint8_t>(kTcpAck | rng.below(256)),
                            .window = static_cast<std::uint16_t>(rng.next_u32()),
                            .options = random_bytes(rng, 4 * rng.below(11))};
        const IpFields ip{.ecn = static_cast<net::Ecn>(rng.below(4)),
                          .dont_fragment = rng.below(2) == 0,
                          .identification = static_cast<std::uint16_t>(rng.next_u32())};
        const auto header = (v4 ? 20U : 40U) + 20 + tcp.options.size();
        const auto size = 1 + rng.below(round % 2 == 0 ? 60 : kMaxIpPacket - header);
        const auto payload = random_bytes(rng, 1 + rng.below(std::min<std::size_t>(65535 - header, size * 70)));
        auto bytes = make_tcp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, tcp, payload, ip);
        store_be(MutableByteSpan{bytes}.subspan((v4 ? 20U : 40U) + 16), std::uint16_t{0x1234});  // left to us

        Segmenter segmenter{TunPacket{bytes, super_packet(v4 ? Kind::kTcp4 : Kind::kTcp6, size)}};
        const auto expected = separate_tcp(v4, tcp, payload, size, ip);
        ASSERT_EQ(segmenter.remaining(), expected.size());
        ASSERT_EQ(segmenter.ecn(), ip.ecn);
        const auto segments = segments_of(segmenter);

        ASSERT_EQ(segments.size(), expected.size());
        for (std::size_t i = 0; i < segments.size(); ++i) {
            ASSERT_EQ(to_hex(segments[i]), to_hex(expected[i])) << "segment " << i << " of round " << round;
        }
    }
}

TEST(Segmenter, CutsUdpAsASenderWithoutOffloadsWould) {
    auto rng = Rng::from_number(2);
    for (int round = 0; round < 400; ++round) {
        const bool v4 = rng.below(2) == 0;
        const IpFields ip{.ecn = static_cast<net::Ecn>(rng.below(4)),
                          .identification = static_cast<std::uint16_t>(rng.next_u32())};
        const auto header = (v4 ? 20U : 40U) + 8;
        const auto size = 1 + rng.below(round % 2 == 0 ? 60 : kMaxIpPacket - header);
        const auto payload = random_bytes(rng, 1 + rng.below(std::min<std::size_t>(65535 - header, size * 64)));
        auto bytes = make_udp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, payload, ip);

        const auto segments = segments_of(bytes, super_packet(Kind::kUdp, size));

        const auto expected = separate_udp(v4, payload, size, ip);
        ASSERT_EQ(segments.size(), expected.size());
        for (std::size_t i = 0; i < segments.size(); ++i) {
            ASSERT_EQ(to_hex(segments[i]), to_hex(expected[i])) << "segment " << i << " of round " << round;
        }
    }
}

TEST(Segmenter, NeverSendsAUdpChecksumOfZero) {
    constexpr std::size_t kChecksum = kIpv4HeaderLength + 6;
    const auto of_zeros = separate_udp(true, Bytes(2), 2, {}).front();
    Bytes payload(4);
    // The checksum itself as payload makes the sum come out as all ones, and its complement as zero.
    std::ranges::copy(ByteSpan{of_zeros}.subspan(kChecksum, 2), payload.begin());

    const auto segments = segments_of(make_udp(kV4Source, kV4Destination, payload, {}), super_packet(Kind::kUdp, 2));

    ASSERT_EQ(segments.size(), 2U);
    EXPECT_EQ(load_be<std::uint16_t>(ByteSpan{segments[0]}.subspan(kChecksum)), 0xffff);
}

TEST(Segmenter, KeepsIpOptionsAndExtensionHeaders) {
    auto v4 = make_tcp(kV4Source, kV4Destination, {}, Bytes(3000, std::byte{7}));
    v4.insert(v4.begin() + 20, 40, std::byte{1});
    v4[0] = std::byte{0x4f};
    store_be(MutableByteSpan{v4}.subspan(2), static_cast<std::uint16_t>(v4.size()));
    auto v6 = make_tcp(kV6Source, kV6Destination, {}, Bytes(3000, std::byte{7}));
    const auto options = *from_hex(
        "0601000000000000"
        "0000000000000000");
    v6[6] = std::byte{kProtocolDestinationOptions};
    v6.insert(v6.begin() + 40, options.begin(), options.end());
    store_be(MutableByteSpan{v6}.subspan(4), static_cast<std::uint16_t>(v6.size() - 40));

    for (auto segments :
         {segments_of(v4, super_packet(Kind::kTcp4, 1000)), segments_of(v6, super_packet(Kind::kTcp6, 1000))}) {
        ASSERT_EQ(segments.size(), 3U);
        for (auto& segment : segments) {
            const auto packet = IpPacket::parse(segment);
            ASSERT_TRUE(packet);
            EXPECT_TRUE(packet->checksums_are_valid());
            EXPECT_EQ(packet->l4_offset(), packet->is_v4() ? 60U : 56U);
            EXPECT_TRUE(equal(packet->payload(), Bytes(1000, std::byte{7})));
        }
    }
}

TEST(Segmenter, UsesTheAddressesOfATranslatedSuperPacket) {
    auto bytes = make_tcp(kV4Source, kV4Destination, {.sequence = 7}, Bytes(5000, std::byte{9}));
    store_be(MutableByteSpan{bytes}.subspan(36), std::uint16_t{0x1234});
    auto packet = *IpPacket::parse(bytes, kMaxSuperPacket);
    const auto real = *net::IpAddress::parse("192.0.2.77");

    packet.set_source(real);
    packet.set_destination_value(443);
    const auto segments = segments_of(Segmenter{packet, super_packet(Kind::kTcp4, 1200)});

    ASSERT_EQ(segments.size(), 5U);
    for (auto segment : segments) {
        const auto parsed = *IpPacket::parse(segment);
        EXPECT_EQ(parsed.source(), real);
        EXPECT_EQ(parsed.destination_port(), 443);
        EXPECT_TRUE(parsed.checksums_are_valid());
    }
}

TEST(Segmenter, CompletesChecksumsThatWereLeftToUs) {
    const auto payload = as_bytes("some payload");
    for (const auto& good :
         {make_udp(kV4Source, kV4Destination, payload), make_udp(kV6Source, kV6Destination, payload),
          make_tcp(kV4Source, kV4Destination, {}, payload), make_tcp(kV6Source, kV6Destination, {}, payload),
          make_icmp_echo_request(kV6Source.ip, kV6Destination.ip, 1, 2, payload)}) {
        auto partial = good;
        const auto packet = *IpPacket::parse(partial);
        const std::size_t field = packet.is_tcp() ? 16 : packet.is_udp() ? 6 : 2;
        const auto pseudo =
            Checksum{}.add_pseudo_header(packet.address_bytes(), packet.protocol(), packet.l4().size()).sum();
        store_be(packet.l4().subspan(field), pseudo);

        const auto segments = segments_of(partial, {.needs_checksum = true,
                                                    .checksum_start = static_cast<std::uint16_t>(packet.l4_offset()),
                                                    .checksum_offset = static_cast<std::uint16_t>(field)});

        ASSERT_EQ(segments.size(), 1U);
        EXPECT_EQ(to_hex(segments[0]), to_hex(good));
    }
}

TEST(Segmenter, CompletesAnyChecksumFromThePartialSum) {
    // As an encapsulated UDP packet would have it: start and field that we have no other name for.
    auto bytes = make_ip(kV4Source.ip, kV4Destination.ip, 47, Bytes(40, std::byte{0x21}));
    store_be(MutableByteSpan{bytes}.subspan(30), std::uint16_t{0x0fed});
    auto expected = bytes;
    store_be(MutableByteSpan{expected}.subspan(30), internet_checksum(ByteSpan{bytes}.subspan(24)));

    const auto segments = segments_of(bytes, {.needs_checksum = true, .checksum_start = 24, .checksum_offset = 6});

    ASSERT_EQ(segments.size(), 1U);
    EXPECT_EQ(to_hex(segments[0]), to_hex(expected));
}

TEST(Segmenter, RefusesWhatDoesNotFit) {
    const auto tcp4 = make_tcp(kV4Source, kV4Destination, {}, Bytes(5000));
    const auto udp6 = make_udp(kV6Source, kV6Destination, Bytes(5000));
    const auto small = make_udp(kV4Source, kV4Destination, Bytes(10));

    EXPECT_EQ(error_of(tcp4, super_packet(Kind::kTcp4, 1240)), std::nullopt);
    EXPECT_EQ(error_of(tcp4, super_packet(Kind::kTcp4, 1241)), SegmentError::kBadSegmentSize);
    EXPECT_EQ(error_of(tcp4, super_packet(Kind::kTcp4, 0)), SegmentError::kBadSegmentSize);
    EXPECT_EQ(error_of(tcp4, super_packet(Kind::kTcp6, 1000)), SegmentError::kKindMismatch);
    EXPECT_EQ(error_of(tcp4, super_packet(Kind::kUdp, 1000)), SegmentError::kKindMismatch);
    EXPECT_EQ(error_of(udp6, super_packet(Kind::kTcp6, 1000)), SegmentError::kKindMismatch);
    EXPECT_EQ(error_of(udp6, super_packet(Kind::kUdp, 1232)), std::nullopt);
    EXPECT_EQ(error_of(udp6, super_packet(Kind::kUdp, 1233)), SegmentError::kBadSegmentSize);
    EXPECT_EQ(error_of(tcp4, {}), SegmentError::kMalformed);
    EXPECT_EQ(error_of({}, {}), SegmentError::kMalformed);
    EXPECT_EQ(error_of(small, {.needs_checksum = true, .checksum_start = 30, .checksum_offset = 7}),
              SegmentError::kBadChecksumField);
    EXPECT_EQ(error_of(small, {.needs_checksum = true, .checksum_start = 65535, .checksum_offset = 65535}),
              SegmentError::kBadChecksumField);
    EXPECT_EQ(error_of(small, {.needs_checksum = true, .checksum_start = 30, .checksum_offset = 6}), std::nullopt);

    auto cut = tcp4;
    cut.resize(100);
    EXPECT_EQ(error_of(cut, super_packet(Kind::kTcp4, 1000)), SegmentError::kMalformed);

    auto short_udp = udp6;
    store_be(MutableByteSpan{short_udp}.subspan(44), std::uint16_t{4000});
    EXPECT_EQ(error_of(short_udp, super_packet(Kind::kUdp, 1000)), SegmentError::kKindMismatch);
}

TEST(Segmenter, RefusesAHeaderThatLeavesNoRoom) {
    auto packet = make_tcp(kV6Source, kV6Destination, {}, Bytes(5000));
    Bytes options(1272, std::byte{0});
    options[0] = std::byte{kProtocolTcp};
    options[1] = std::byte{158};
    packet[6] = std::byte{kProtocolDestinationOptions};
    packet.insert(packet.begin() + 40, options.begin(), options.end());
    store_be(MutableByteSpan{packet}.subspan(4), static_cast<std::uint16_t>(packet.size() - 40));

    EXPECT_EQ(error_of(packet, super_packet(Kind::kTcp6, 1)), SegmentError::kBadSegmentSize);
}

TEST(Segmenter, AcceptsASuperPacketOfOneShortSegment) {
    const auto payload = as_bytes("short");
    const TcpFields tcp{.flags = kTcpAck | kTcpPsh | kTcpFin};
    auto packet = make_tcp(kV4Source, kV4Destination, tcp, payload);

    const auto segments = segments_of(packet, super_packet(Kind::kTcp4, 60000));

    ASSERT_EQ(segments.size(), 1U);
    EXPECT_EQ(to_hex(segments[0]), to_hex(packet));
}

TEST(Segmenter, YieldsOnlyGoodPacketsFromGarbage) {
    auto rng = Rng::from_number(3);
    for (int round = 0; round < 20'000; ++round) {
        const bool v4 = rng.below(2) == 0;
        const auto payload = random_bytes(rng, rng.below(4000));
        auto bytes = rng.below(2) == 0
                         ? make_udp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, payload)
                         : make_tcp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, {}, payload);
        for (auto changes = rng.below(4); changes > 0; --changes) {
            bytes[rng.below(std::min<std::size_t>(bytes.size(), 80))] = static_cast<std::byte>(rng.below(256));
        }
        const Offload offload{.kind = static_cast<Kind>(rng.below(4)),
                              .segment_size = static_cast<std::uint16_t>(rng.below(1500)),
                              .needs_checksum = rng.below(2) == 0,
                              .checksum_start = static_cast<std::uint16_t>(rng.below(60)),
                              .checksum_offset = static_cast<std::uint16_t>(rng.below(60))};
        Segmenter segmenter{TunPacket{bytes, offload}};
        while (const auto segment = segmenter.next()) {
            ASSERT_LE(segment->size(), kMaxIpPacket);
            if (offload.kind != Kind::kNone) {
                const auto packet = IpPacket::parse(*segment);
                ASSERT_TRUE(packet) << to_string(packet.error());
                ASSERT_EQ(packet->size(), segment->size());
                ASSERT_TRUE(packet->checksums_are_valid());
            }
        }
    }
}

TEST(ToOffload, ReadsWhatTheKernelWrites) {
    const VirtioNetHeader tcp{.flags = kVirtioNeedsChecksum,
                              .gso_type = kVirtioGsoTcp6 | kVirtioGsoEcn,
                              .header_length = 1400,
                              .gso_size = 1220,
                              .checksum_start = 40,
                              .checksum_offset = 16};

    EXPECT_EQ(to_offload(tcp), (Offload{Kind::kTcp6, 1220, true, 40, 16}));
    EXPECT_EQ(to_offload({}), Offload{});
    EXPECT_EQ(to_offload({.gso_type = kVirtioGsoTcp4, .gso_size = 5})->kind, Kind::kTcp4);
    EXPECT_EQ(to_offload({.gso_type = kVirtioGsoUdpL4, .gso_size = 5})->kind, Kind::kUdp);
    EXPECT_EQ(to_offload({.gso_type = 3, .gso_size = 5}), std::nullopt);
}

}  // namespace
}  // namespace culvert::packet
