#include "culvert/packet/ip_packet.h"

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ecn.h"

namespace culvert::packet {
namespace {

const auto kV4Source = net::SocketAddress{*net::IpAddress::parse("100.64.0.1"), 40000};
const auto kV4Destination = net::SocketAddress{*net::IpAddress::parse("10.20.0.10"), 80};
const auto kV6Source = net::SocketAddress{*net::IpAddress::parse("fd00:2021:1111::1"), 40000};
const auto kV6Destination = net::SocketAddress{*net::IpAddress::parse("fd10:20::10"), 80};

void put_u16(Bytes& packet, std::size_t at, std::uint16_t value) {
    store_be(MutableByteSpan{packet}.subspan(at), value);
}

/// The error, or nullopt if the bytes are acceptable.
std::optional<ParseError> error_of(Bytes bytes, std::size_t max_length = kMaxIpPacket) {
    const auto packet = IpPacket::parse(bytes, max_length);
    return packet ? std::nullopt : std::optional{packet.error()};
}

/// Puts extension headers between the IPv6 header and its payload; each starts with its next-header byte.
Bytes with_extensions(Bytes packet, std::uint8_t first, ByteSpan extensions) {
    packet[6] = std::byte{first};
    packet.insert(packet.begin() + kIpv6HeaderLength, extensions.begin(), extensions.end());
    put_u16(packet, 4, static_cast<std::uint16_t>(packet.size() - kIpv6HeaderLength));
    return packet;
}

TEST(IpPacketParse, ReadsUdpOverIpv4) {
    const auto payload = as_bytes("hello");
    auto bytes = make_udp(kV4Source, kV4Destination, payload);

    const auto packet = IpPacket::parse(bytes);

    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->is_v4());
    EXPECT_TRUE(packet->is_udp());
    EXPECT_EQ(packet->source(), kV4Source.ip);
    EXPECT_EQ(packet->destination(), kV4Destination.ip);
    EXPECT_EQ(packet->source_port(), 40000);
    EXPECT_EQ(packet->destination_port(), 80);
    EXPECT_TRUE(equal(packet->payload(), payload));
    EXPECT_TRUE(packet->checksums_are_valid());
}

TEST(IpPacketParse, ReadsTcpOverIpv6) {
    const auto payload = as_bytes("hello");
    auto bytes =
        make_tcp(kV6Source, kV6Destination,
                 {.sequence = 0x01020304, .flags = kTcpAck | kTcpPsh, .options = Bytes(12, std::byte{1})}, payload);

    const auto packet = IpPacket::parse(bytes);

    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->is_v6());
    EXPECT_TRUE(packet->is_tcp());
    EXPECT_EQ(packet->source(), kV6Source.ip);
    EXPECT_EQ(packet->destination(), kV6Destination.ip);
    EXPECT_EQ(packet->tcp_sequence(), 0x01020304U);
    EXPECT_EQ(packet->tcp_flags(), kTcpAck | kTcpPsh);
    EXPECT_TRUE(equal(packet->payload(), payload));
    EXPECT_TRUE(packet->checksums_are_valid());
}

// P2
TEST(IpPacketParse, AcceptsExactlyTheMtu) {
    EXPECT_EQ(error_of(make_udp(kV4Source, kV4Destination, Bytes(1280 - 28))), std::nullopt);
    EXPECT_EQ(error_of(make_udp(kV4Source, kV4Destination, Bytes(1281 - 28))), ParseError::kTooLong);
    EXPECT_EQ(error_of(make_udp(kV6Source, kV6Destination, Bytes(1280 - 48))), std::nullopt);
    EXPECT_EQ(error_of(make_udp(kV6Source, kV6Destination, Bytes(1281 - 48))), ParseError::kTooLong);
}

TEST(IpPacketParse, AcceptsSuperPacketsOnRequest) {
    EXPECT_EQ(error_of(make_udp(kV4Source, kV4Destination, Bytes(65535 - 28)), kMaxSuperPacket), std::nullopt);
    EXPECT_EQ(error_of(make_udp(kV6Source, kV6Destination, Bytes(65535 - 8)), kMaxSuperPacket), std::nullopt);
    EXPECT_EQ(error_of(Bytes(kMaxSuperPacket + 1), 100'000), ParseError::kTooLong);
}

TEST(IpPacketParse, RejectsOtherVersions) {
    auto bytes = make_udp(kV4Source, kV4Destination, {});
    for (const unsigned version : {0U, 1U, 3U, 5U, 7U, 15U}) {
        bytes[0] = static_cast<std::byte>(version << 4 | 5U);
        EXPECT_EQ(error_of(bytes), ParseError::kBadVersion);
    }
    EXPECT_EQ(error_of({}), ParseError::kTooShort);
}

TEST(IpPacketParse, ChecksIpv4Lengths) {
    const auto good = make_udp(kV4Source, kV4Destination, as_bytes("hello"));

    EXPECT_EQ(error_of(Bytes(good.begin(), good.begin() + 19)), ParseError::kTooShort);

    auto short_header = good;
    short_header[0] = std::byte{0x44};
    EXPECT_EQ(error_of(short_header), ParseError::kBadHeaderLength);

    auto long_header = good;
    long_header[0] = std::byte{0x4f};
    EXPECT_EQ(error_of(long_header), ParseError::kBadHeaderLength);

    auto length = good;
    put_u16(length, 2, 19);
    EXPECT_EQ(error_of(length), ParseError::kBadTotalLength);
    put_u16(length, 2, static_cast<std::uint16_t>(good.size() + 1));
    EXPECT_EQ(error_of(length), ParseError::kBadTotalLength);
}

TEST(IpPacketParse, CutsPaddingOff) {
    for (const auto& good : {make_udp(kV4Source, kV4Destination, as_bytes("hello")),
                             make_udp(kV6Source, kV6Destination, as_bytes("hello"))}) {
        auto padded = good;
        padded.resize(good.size() + 11, std::byte{0xee});

        const auto packet = IpPacket::parse(padded);

        ASSERT_TRUE(packet);
        EXPECT_TRUE(equal(packet->bytes(), good));
    }
}

TEST(IpPacketParse, ChecksIpv6Lengths) {
    const auto good = make_udp(kV6Source, kV6Destination, as_bytes("hello"));

    EXPECT_EQ(error_of(Bytes(good.begin(), good.begin() + 39)), ParseError::kTooShort);
    auto length = good;
    put_u16(length, 4, static_cast<std::uint16_t>(good.size() - 40 + 1));
    EXPECT_EQ(error_of(length), ParseError::kBadTotalLength);
}

TEST(IpPacketParse, TakesTheRestForAnIpv6PayloadLengthOfZero) {
    auto bytes = make_udp(kV6Source, kV6Destination, as_bytes("hello"));
    put_u16(bytes, 4, 0);

    const auto packet = IpPacket::parse(bytes);

    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->size(), bytes.size());
    EXPECT_EQ(packet->destination_port(), 80);
}

TEST(IpPacketParse, WalksIpv4OptionsAndAh) {
    auto options = make_udp(kV4Source, kV4Destination, as_bytes("hello"));
    options.insert(options.begin() + 20, 8, std::byte{1});
    options[0] = std::byte{0x47};
    put_u16(options, 2, static_cast<std::uint16_t>(options.size()));
    const auto with_options = IpPacket::parse(options);
    ASSERT_TRUE(with_options);
    EXPECT_EQ(with_options->l4_offset(), 28U);
    EXPECT_EQ(with_options->destination_port(), 80);

    auto ah = make_udp(kV4Source, kV4Destination, as_bytes("hello"));
    ah[9] = std::byte{kProtocolAh};
    auto header = *from_hex("110400000000000000000000000000000000000000000000");  // next UDP, 24 bytes
    ah.insert(ah.begin() + 20, header.begin(), header.end());
    put_u16(ah, 2, static_cast<std::uint16_t>(ah.size()));
    const auto with_ah = IpPacket::parse(ah);
    ASSERT_TRUE(with_ah);
    EXPECT_TRUE(with_ah->is_udp());
    EXPECT_EQ(with_ah->l4_offset(), 44U);
    EXPECT_EQ(with_ah->destination_port(), 80);

    ah[21] = std::byte{200};
    EXPECT_EQ(error_of(ah), ParseError::kBadExtensionHeader);
}

TEST(IpPacketParse, WalksIpv6ExtensionHeaders) {
    const auto udp = make_udp(kV6Source, kV6Destination, as_bytes("hello"));
    // Hop-by-hop, destination options (16 bytes), routing, atomic fragment, AH, then UDP.
    const auto chain = *from_hex(
        "3c00000000000000"
        "2b010000000000000000000000000000"
        "2c00000000000000"
        "3300000001020304"
        "110400000000000000000000000000000000000000000000");
    auto bytes = with_extensions(udp, kProtocolHopByHop, chain);

    const auto packet = IpPacket::parse(bytes);

    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->is_udp());
    EXPECT_EQ(packet->l4_offset(), kIpv6HeaderLength + chain.size());
    EXPECT_EQ(packet->destination_port(), 80);
}

TEST(IpPacketParse, RejectsBadIpv6ExtensionHeaders) {
    const auto udp = make_udp(kV6Source, kV6Destination, as_bytes("hello"));

    const auto late_hop_by_hop = *from_hex("00000000000000001100000000000000");
    EXPECT_EQ(error_of(with_extensions(udp, kProtocolDestinationOptions, late_hop_by_hop)),
              ParseError::kBadExtensionHeader);
    const auto too_long = *from_hex("11ff000000000000");
    EXPECT_EQ(error_of(with_extensions(udp, kProtocolRouting, too_long)), ParseError::kBadExtensionHeader);
    auto cut = with_extensions(udp, kProtocolRouting, *from_hex("1100000000000000"));
    cut.resize(41);
    put_u16(cut, 4, 1);
    EXPECT_EQ(error_of(cut), ParseError::kBadExtensionHeader);
}

TEST(IpPacketParse, RejectsSourceRoutesOfIpv4) {
    auto bytes = make_udp(kV4Source, kV4Destination, as_bytes("hello"));
    const auto options = *from_hex(
        "01"
        "830708"
        "0a0a0a0a");  // via 10.10.10.10
    bytes.insert(bytes.begin() + 20, options.begin(), options.end());
    bytes[0] = std::byte{0x47};
    put_u16(bytes, 2, static_cast<std::uint16_t>(bytes.size()));
    EXPECT_EQ(error_of(bytes), ParseError::kSourceRoute);

    bytes[21] = std::byte{7};  // record route
    EXPECT_EQ(error_of(bytes), std::nullopt);
    bytes[22] = std::byte{9};  // reaches beyond the header
    EXPECT_EQ(error_of(bytes), ParseError::kBadOptions);
}

TEST(IpPacketParse, RejectsRoutingHeadersThatLeadFurther) {
    const auto udp = make_udp(kV6Source, kV6Destination, as_bytes("hello"));
    for (const std::string_view type : {"00", "02", "04", "fd"}) {
        const auto route = *from_hex("1100" + std::string{type} + "0100000000");
        EXPECT_EQ(error_of(with_extensions(udp, kProtocolRouting, route)), ParseError::kSourceRoute) << type;
        const auto finished = *from_hex("1100" + std::string{type} + "0000000000");
        EXPECT_EQ(error_of(with_extensions(udp, kProtocolRouting, finished)), std::nullopt) << type;
    }
}

TEST(IpPacketParse, RejectsRoutingHeadersBehindAnyOther) {
    const auto udp = make_udp(kV6Source, kV6Destination, as_bytes("hello"));
    const std::string route = "1100000100000000";
    const std::pair<std::uint8_t, std::string> fronts[] = {
        {kProtocolHopByHop, "2b00000000000000"},
        {kProtocolDestinationOptions, "2b00000000000000"},
        {kProtocolFragment, "2b00000000000000"},  // atomic
        {kProtocolAh, "2b0400000000000000000000000000000000000000000000"},
        {kProtocolRouting, "2b00000000000000"},
        {kProtocolHopByHop, "3c000000000000002b00000000000000"},
    };
    for (const auto& [first, headers] : fronts) {
        EXPECT_EQ(error_of(with_extensions(udp, first, *from_hex(headers + route))), ParseError::kSourceRoute)
            << headers;
    }
}

// P1
TEST(IpPacketParse, RejectsFragments) {
    auto v4 = make_udp(kV4Source, kV4Destination, as_bytes("hello"));
    put_u16(v4, 6, 0x2000);
    EXPECT_EQ(error_of(v4), ParseError::kFragment);
    put_u16(v4, 6, 0x0001);
    EXPECT_EQ(error_of(v4), ParseError::kFragment);
    put_u16(v4, 6, 0x4000);
    EXPECT_EQ(error_of(v4), std::nullopt);

    const auto v6 = make_udp(kV6Source, kV6Destination, as_bytes("hello"));
    EXPECT_EQ(error_of(with_extensions(v6, kProtocolFragment, *from_hex("1100000100000000"))), ParseError::kFragment);
    EXPECT_EQ(error_of(with_extensions(v6, kProtocolFragment, *from_hex("1100000800000000"))), ParseError::kFragment);
    EXPECT_EQ(error_of(with_extensions(v6, kProtocolFragment, *from_hex("1100000000000000"))), std::nullopt);
}

TEST(IpPacketParse, ChecksUdpLength) {
    const auto good = make_udp(kV4Source, kV4Destination, as_bytes("hello"));
    const auto with_length = [&](std::uint16_t length) {
        auto bytes = good;
        put_u16(bytes, 24, length);
        return bytes;
    };

    EXPECT_EQ(error_of(with_length(7)), ParseError::kBadUdp);
    EXPECT_EQ(error_of(with_length(14)), ParseError::kBadUdp);
    EXPECT_EQ(error_of(with_length(8)), std::nullopt);
    auto zero = with_length(0);
    EXPECT_EQ(IpPacket::parse(zero)->payload().size(), 5U);
    auto shorter = with_length(10);
    EXPECT_EQ(IpPacket::parse(shorter)->payload().size(), 2U);
    EXPECT_EQ(error_of(make_ip(kV4Source.ip, kV4Destination.ip, kProtocolUdp, Bytes(7))), ParseError::kBadUdp);
}

TEST(IpPacketParse, ChecksTcpHeader) {
    auto bytes = make_tcp(kV4Source, kV4Destination, {}, as_bytes("hello"));
    bytes[32] = std::byte{0x40};
    EXPECT_EQ(error_of(bytes), ParseError::kBadTcp);
    bytes[32] = std::byte{0x70};
    EXPECT_EQ(error_of(bytes), ParseError::kBadTcp);
    bytes[32] = std::byte{0x60};
    EXPECT_EQ(error_of(bytes), std::nullopt);
    EXPECT_EQ(error_of(make_ip(kV4Source.ip, kV4Destination.ip, kProtocolTcp, Bytes(19))), ParseError::kBadTcp);
}

TEST(IpPacketParse, ChecksIcmp) {
    EXPECT_EQ(error_of(make_ip(kV4Source.ip, kV4Destination.ip, kProtocolIcmp, Bytes(7))), ParseError::kBadIcmp);
    EXPECT_EQ(error_of(make_ip(kV6Source.ip, kV6Destination.ip, kProtocolIcmpv6, Bytes(7))), ParseError::kBadIcmp);
    EXPECT_EQ(error_of(make_icmp(kV4Source.ip, kV4Destination.ip, 13, 0, 0, Bytes(12))), std::nullopt);
    EXPECT_EQ(error_of(make_icmp(kV4Source.ip, kV4Destination.ip, 13, 0, 0, Bytes(13))), ParseError::kBadIcmp);
    EXPECT_EQ(error_of(make_icmp(kV4Source.ip, kV4Destination.ip, 14, 0, 0, Bytes(11))), ParseError::kBadIcmp);
    EXPECT_EQ(error_of(make_icmp(kV4Source.ip, kV4Destination.ip, 13, 1, 0, Bytes(13))), std::nullopt);
    EXPECT_EQ(error_of(make_icmp(kV6Source.ip, kV6Destination.ip, 13, 0, 0, Bytes(13))), std::nullopt);
}

// P3
TEST(IpPacketParse, RejectsIcmpOfTheOtherVersion) {
    EXPECT_EQ(error_of(make_ip(kV4Source.ip, kV4Destination.ip, kProtocolIcmpv6, Bytes(8))),
              ParseError::kIcmpOfOtherVersion);
    EXPECT_EQ(error_of(make_ip(kV6Source.ip, kV6Destination.ip, kProtocolIcmp, Bytes(8))),
              ParseError::kIcmpOfOtherVersion);
}

TEST(IpPacketParse, AcceptsOtherProtocolsUnseen) {
    for (const int protocol : {2, 47, 50, 59, 132, 255}) {
        const auto number = static_cast<std::uint8_t>(protocol);
        EXPECT_EQ(error_of(make_ip(kV4Source.ip, kV4Destination.ip, number, {})), std::nullopt);
        EXPECT_EQ(error_of(make_ip(kV6Source.ip, kV6Destination.ip, number, Bytes(3))), std::nullopt);
    }
}

TEST(IpPacketParse, NeverReadsBeyondGarbage) {
    auto rng = Rng::from_number(4);
    for (int round = 0; round < 50'000; ++round) {
        Bytes bytes(rng.below(120));
        rng.fill(bytes);
        if (!bytes.empty()) {
            bytes[0] = static_cast<std::byte>((rng.below(2) == 0 ? 0x45 : 0x60) | rng.below(4));
        }
        if (bytes.size() > 9 && rng.below(2) == 0) {
            put_u16(bytes, bytes[0] < std::byte{0x60} ? 2 : 4, static_cast<std::uint16_t>(rng.below(bytes.size())));
            put_u16(bytes, 6, static_cast<std::uint16_t>(rng.below(2) * 0x1100));
        }
        auto packet = IpPacket::parse(bytes);
        if (packet) {
            ASSERT_LE(packet->size(), bytes.size());
            ASSERT_LE(packet->l4_offset() + packet->payload().size(), packet->size());
            packet->recompute_checksums();
            ASSERT_TRUE(packet->checksums_are_valid());
        }
    }
}

TEST(L4Value, IsThePortOfTcpAndUdp) {
    auto tcp = make_tcp(kV4Source, kV4Destination, {}, {});
    auto udp = make_udp(kV6Source, kV6Destination, {});

    EXPECT_EQ(IpPacket::parse(tcp)->source_value(), (L4Value{L4Protocol::kTcp, 40000}));
    EXPECT_EQ(IpPacket::parse(tcp)->destination_value(), (L4Value{L4Protocol::kTcp, 80}));
    EXPECT_EQ(IpPacket::parse(udp)->source_value(), (L4Value{L4Protocol::kUdp, 40000}));
    EXPECT_EQ(IpPacket::parse(udp)->destination_value(), (L4Value{L4Protocol::kUdp, 80}));
}

TEST(L4Value, IsTheIdentifierOfAnEcho) {
    for (auto bytes : {make_icmp_echo_request(kV4Source.ip, kV4Destination.ip, 77, 1, {}),
                       make_icmp_echo_reply(kV4Source.ip, kV4Destination.ip, 77, 1, {}),
                       make_icmp_echo_request(kV6Source.ip, kV6Destination.ip, 77, 1, {}),
                       make_icmp_echo_reply(kV6Source.ip, kV6Destination.ip, 77, 1, {})}) {
        EXPECT_EQ(IpPacket::parse(bytes)->source_value(), (L4Value{L4Protocol::kIcmp, 77}));
        EXPECT_EQ(IpPacket::parse(bytes)->destination_value(), (L4Value{L4Protocol::kIcmp, 77}));
    }
}

TEST(L4Value, IsMissingInEverythingElse) {
    auto unreachable = make_icmp(kV4Source.ip, kV4Destination.ip, 3, 0, 0, Bytes(28));
    auto odd_echo = make_icmp(kV6Source.ip, kV6Destination.ip, 128, 1, 0, {});
    auto gre = make_ip(kV4Source.ip, kV4Destination.ip, 47, Bytes(8));

    EXPECT_EQ(IpPacket::parse(unreachable)->source_value().error(), NoL4Value::kUnsupportedIcmpType);
    EXPECT_EQ(IpPacket::parse(odd_echo)->destination_value().error(), NoL4Value::kUnsupportedIcmpType);
    EXPECT_EQ(IpPacket::parse(gre)->source_value().error(), NoL4Value::kUnsupportedProtocol);
}

TEST(IpPacketChange, KeepsEveryChecksumRight) {
    auto rng = Rng::from_number(5);
    const auto address = [&](bool v4) {
        return v4 ? net::IpAddress::from_bytes(rng.array<4>()) : net::IpAddress::from_bytes(rng.array<16>());
    };
    for (int round = 0; round < 5'000; ++round) {
        const bool v4 = rng.below(2) == 0;
        const net::SocketAddress source{address(v4), static_cast<std::uint16_t>(rng.next_u32())};
        const net::SocketAddress destination{address(v4), static_cast<std::uint16_t>(rng.next_u32())};
        Bytes payload(rng.below(40));
        rng.fill(payload);
        const auto kind = rng.below(3);
        auto bytes = kind == 0   ? make_udp(source, destination, payload)
                     : kind == 1 ? make_tcp(source, destination, {.sequence = rng.next_u32()}, payload)
                                 : make_icmp_echo_request(source.ip, destination.ip, source.port, 1, payload);
        auto packet = *IpPacket::parse(bytes);
        ASSERT_TRUE(packet.checksums_are_valid());

        const auto new_source = address(v4);
        const auto new_destination = address(v4);
        const auto value = static_cast<std::uint16_t>(rng.next_u32());
        packet.set_source(new_source);
        packet.set_destination(new_destination);
        packet.set_source_value(value);
        packet.set_ecn(static_cast<net::Ecn>(rng.below(4)));

        ASSERT_TRUE(packet.checksums_are_valid());
        ASSERT_EQ(packet.source(), new_source);
        ASSERT_EQ(packet.destination(), new_destination);
        ASSERT_EQ(packet.source_value()->value, value);
        packet.set_destination_value(static_cast<std::uint16_t>(value + 1));
        ASSERT_TRUE(packet.checksums_are_valid());
        ASSERT_EQ(packet.destination_value()->value, static_cast<std::uint16_t>(value + 1));
    }
}

TEST(IpPacketChange, GivesAChecksumToUdpWithoutOne) {
    auto bytes = make_udp(kV4Source, kV4Destination, as_bytes("hello"));
    put_u16(bytes, 26, 0);
    auto packet = *IpPacket::parse(bytes);
    ASSERT_TRUE(packet.checksums_are_valid());

    packet.set_source_value(1234);

    EXPECT_NE(load_be<std::uint16_t>(ByteSpan{bytes}.subspan(26)), 0);
    EXPECT_TRUE(packet.checksums_are_valid());
}

TEST(IpPacketChange, NeverWritesAZeroUdpChecksum) {
    auto bytes = make_udp(kV4Source, kV4Destination, as_bytes("hello!"));
    auto packet = *IpPacket::parse(bytes);
    bool met_zero = false;

    for (unsigned port = 0; port <= 0xffff; ++port) {
        packet.set_source_value(static_cast<std::uint16_t>(port));
        const auto checksum = load_be<std::uint16_t>(ByteSpan{bytes}.subspan(26));
        ASSERT_NE(checksum, 0);
        ASSERT_TRUE(packet.checksums_are_valid());
        met_zero = met_zero || checksum == 0xffff;
    }
    EXPECT_TRUE(met_zero);
}

TEST(IpPacketChange, NoticesWrongChecksums) {
    auto bytes = make_tcp(kV4Source, kV4Destination, {}, as_bytes("hello"));
    const auto packet = *IpPacket::parse(bytes);

    bytes.back() ^= std::byte{1};
    EXPECT_FALSE(packet.checksums_are_valid());
    bytes.back() ^= std::byte{1};
    bytes[8] ^= std::byte{1};
    EXPECT_FALSE(packet.checksums_are_valid());

    auto v6 = make_udp(kV6Source, kV6Destination, {});
    put_u16(v6, 46, 0);
    EXPECT_FALSE(IpPacket::parse(v6)->checksums_are_valid());
}

// P4, P5 and the whole table of spec/io-and-performance.md section 3.5
TEST(Ecn, OnlyCongestionOnTheWayIsCopiedInwards) {
    using enum net::Ecn;
    for (const auto inner : {kNotEct, kEct0, kEct1, kCe}) {
        for (const auto outer : {kNotEct, kEct0, kEct1, kCe}) {
            const bool marks = outer == kCe && (inner == kEct0 || inner == kEct1);
            for (auto bytes : {make_udp(kV4Source, kV4Destination, as_bytes("x"), {.ecn = inner}),
                               make_udp(kV6Source, kV6Destination, as_bytes("x"), {.ecn = inner})}) {
                auto packet = *IpPacket::parse(bytes);
                ASSERT_EQ(packet.ecn(), inner);

                apply_outer_ecn(packet, outer);

                EXPECT_EQ(packet.ecn(), marks ? kCe : inner);
                EXPECT_TRUE(packet.checksums_are_valid());
            }
        }
    }
}

TEST(Ecn, LeavesDscpAndFlowLabelAlone) {
    auto bytes = make_udp(kV6Source, kV6Destination, {}, {.ecn = net::Ecn::kEct0});
    bytes[0] = std::byte{0x6a};
    bytes[1] = std::byte{0xe5};  // traffic class 0xae, flow label 0x5....

    auto packet = *IpPacket::parse(bytes);
    packet.set_ecn(net::Ecn::kCe);

    EXPECT_EQ(bytes[0], std::byte{0x6a});
    EXPECT_EQ(bytes[1], std::byte{0xf5});
}

}  // namespace
}  // namespace culvert::packet
