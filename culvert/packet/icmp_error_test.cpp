#include "culvert/packet/icmp_error.h"

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/packet/builder.h"

namespace culvert::packet {
namespace {

const auto kV4Source = net::SocketAddress{*net::IpAddress::parse("100.64.0.1"), 40000};
const auto kV4Destination = net::SocketAddress{*net::IpAddress::parse("100.96.0.5"), 80};
const auto kV6Source = net::SocketAddress{*net::IpAddress::parse("fd00:2021:1111::1"), 40000};
const auto kV6Destination = net::SocketAddress{*net::IpAddress::parse("fd00:2021:1111:8000::4"), 80};
const auto kV4Router = *net::IpAddress::parse("192.0.2.1");
const auto kV6Router = *net::IpAddress::parse("2001:db8::1");

/// The inspected error in `bytes`, which must stay alive.
std::expected<std::optional<IcmpError>, IcmpInspectError> inspect(Bytes& bytes) {
    return inspect_icmp_error(*IpPacket::parse(bytes));
}

// P6
TEST(EmbeddedHeaderOf, IsThatOfAnyProtocol) {
    const auto here = *net::IpAddress::parse("100.64.0.1");
    const auto there = *net::IpAddress::parse("10.1.0.5");
    auto about_gre = make_icmp(there, here, 3, 1, 0, make_ip(here, there, 47, Bytes(8)));
    EXPECT_EQ(embedded_header(*IpPacket::parse(about_gre)), (EmbeddedHeader{here, there, 47}));

    const auto here6 = *net::IpAddress::parse("fd00::1");
    const auto there6 = *net::IpAddress::parse("fd01::5");
    auto about_v6 = make_icmp(there6, here6, 1, 1, 0, make_ip(here6, there6, 47, {}));
    EXPECT_EQ(embedded_header(*IpPacket::parse(about_v6)), (EmbeddedHeader{here6, there6, 47}));

    auto cut = make_icmp(there, here, 3, 1, 0, ByteSpan{make_ip(here, there, 47, {})}.first(19));
    EXPECT_EQ(embedded_header(*IpPacket::parse(cut)), std::nullopt);
    auto other_version = make_icmp(there, here, 3, 1, 0, make_ip(here6, there6, 47, {}));
    EXPECT_EQ(embedded_header(*IpPacket::parse(other_version)), std::nullopt);
}

TEST(MakeIcmpError, EmbedsHeaderAndEightBytesOfIpv4) {
    auto original = make_udp(kV4Source, kV4Destination, Bytes(1000));

    auto error = make_icmp_error(IcmpErrorKind::kUnreachable, *IpPacket::parse(original));

    ASSERT_TRUE(error);
    EXPECT_EQ(error->size(), 20U + 8 + 28);
    const auto packet = *IpPacket::parse(*error);
    EXPECT_EQ(packet.source(), kV4Destination.ip);
    EXPECT_EQ(packet.destination(), kV4Source.ip);
    EXPECT_EQ(packet.icmp_type(), 3);
    EXPECT_EQ(packet.icmp_code(), 0);
    EXPECT_EQ(packet.ttl(), 20);
    EXPECT_EQ(load_be<std::uint32_t>(packet.bytes().subspan(4)), 0x00004000U);  // identification 0, DF
    EXPECT_TRUE(packet.checksums_are_valid());
    EXPECT_TRUE(equal(packet.payload(), ByteSpan{original}.first(28)));
    const auto inspected = inspect(*error);
    ASSERT_TRUE(inspected && *inspected);
    EXPECT_FALSE((*inspected)->is_prohibited());
}

// P7
TEST(MakeIcmpError, EmbedsAtMost1200BytesOfIpv6) {
    auto original = make_udp(kV6Source, kV6Destination, Bytes(1280 - 48));

    auto error = make_icmp_error(IcmpErrorKind::kUnreachable, *IpPacket::parse(original));

    ASSERT_TRUE(error);
    EXPECT_EQ(error->size(), 1248U);
    const auto packet = *IpPacket::parse(*error);
    EXPECT_EQ(packet.source(), kV6Destination.ip);
    EXPECT_EQ(packet.destination(), kV6Source.ip);
    EXPECT_EQ(packet.icmp_type(), 1);
    EXPECT_EQ(packet.icmp_code(), 3);
    EXPECT_EQ(packet.ttl(), 20);
    EXPECT_TRUE(packet.checksums_are_valid());
    EXPECT_TRUE(equal(packet.payload(), ByteSpan{original}.first(1200)));
}

TEST(MakeIcmpError, ProhibitedIsRecognisedAsSuch) {
    for (auto original : {make_tcp(kV4Source, kV4Destination, {}, {}), make_tcp(kV6Source, kV6Destination, {}, {})}) {
        auto error = make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(original));

        ASSERT_TRUE(error);
        const auto inspected = inspect(*error);
        ASSERT_TRUE(inspected && *inspected);
        EXPECT_TRUE((*inspected)->is_prohibited());
        EXPECT_EQ((*inspected)->embedded.source_value, (L4Value{L4Protocol::kTcp, 40000}));
        EXPECT_EQ((*inspected)->embedded.destination_value, (L4Value{L4Protocol::kTcp, 80}));
    }
}

TEST(MakeIcmpError, EmbedsShortPacketsWhole) {
    auto original = make_ip(kV4Source.ip, kV4Destination.ip, 47, Bytes(3));

    const auto error = make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(original));

    ASSERT_TRUE(error);
    EXPECT_EQ(error->size(), 20U + 8 + 23);
}

TEST(MakeIcmpError, EmbedsIpv4OptionsToo) {
    auto original = make_udp(kV4Source, kV4Destination, Bytes(100));
    original.insert(original.begin() + 20, 12, std::byte{1});
    original[0] = std::byte{0x48};
    store_be(MutableByteSpan{original}.subspan(2), static_cast<std::uint16_t>(original.size()));

    const auto error = make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(original));

    ASSERT_TRUE(error);
    EXPECT_EQ(error->size(), 20U + 8 + 32 + 8);
}

// D-13
TEST(MakeIcmpError, NeverAnswersAnIcmpError) {
    for (const auto type : std::to_array<std::uint8_t>({3, 4, 5, 11, 12})) {
        auto v4 = make_icmp(kV4Source.ip, kV4Destination.ip, type, 0, 0, Bytes(28));
        EXPECT_FALSE(make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(v4))) << int{type};
    }
    for (const auto type : std::to_array<std::uint8_t>({1, 2, 3, 4, 100, 127, 137})) {
        auto v6 = make_icmp(kV6Source.ip, kV6Destination.ip, type, 0, 0, Bytes(48));
        EXPECT_FALSE(make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(v6))) << int{type};
    }
    auto echo = make_icmp_echo_request(kV4Source.ip, kV4Destination.ip, 1, 1, {});
    EXPECT_TRUE(make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(echo)));
}

TEST(MakeIcmpError, NeverAnswersGroups) {
    for (const auto* destination : {"224.0.0.251", "255.255.255.255", "0.0.0.0"}) {
        auto packet = make_ip(kV4Source.ip, *net::IpAddress::parse(destination), 47, {});
        EXPECT_FALSE(make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(packet))) << destination;
        auto reverse = make_ip(*net::IpAddress::parse(destination), kV4Source.ip, 47, {});
        EXPECT_FALSE(make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(reverse))) << destination;
    }
    auto multicast = make_ip(kV6Source.ip, *net::IpAddress::parse("ff02::fb"), 47, {});
    EXPECT_FALSE(make_icmp_error(IcmpErrorKind::kProhibited, *IpPacket::parse(multicast)));
}

TEST(InspectIcmpError, TellsErrorsFromOtherPackets) {
    auto udp = make_udp(kV4Source, kV4Destination, {});
    auto request = make_icmp_echo_request(kV4Source.ip, kV4Destination.ip, 1, 1, {});
    auto reply = make_icmp_echo_reply(kV6Source.ip, kV6Destination.ip, 1, 1, {});
    for (auto* bytes : {&udp, &request, &reply}) {
        const auto inspected = inspect(*bytes);
        ASSERT_TRUE(inspected);
        EXPECT_FALSE(*inspected);
    }
}

TEST(InspectIcmpError, UnderstandsExactlyTheListedTypesAndCodes) {
    const auto v4 = make_udp(kV4Source, kV4Destination, {});
    const auto v6 = make_udp(kV6Source, kV6Destination, {});
    for (unsigned type = 0; type < 256; ++type) {
        for (unsigned code = 0; code < 20; ++code) {
            const auto t = static_cast<std::uint8_t>(type);
            const auto c = static_cast<std::uint8_t>(code);
            const bool is_v4_error = (type == 3 && code <= 15) || (type == 11 && code <= 1);
            const bool is_v6_error = (type == 1 && code <= 6) || (type == 2 && code == 0) || (type == 3 && code <= 1);
            const bool is_v4_echo = (type == 0 || type == 8) && code == 0;
            const bool is_v6_echo = (type == 128 || type == 129) && code == 0;
            if (type != 13 && type != 14) {
                auto packet = make_icmp(kV4Router, kV4Source.ip, t, c, 0, v4);
                const auto result = inspect(packet);
                ASSERT_EQ(result.has_value(), is_v4_error || is_v4_echo) << type << " " << code;
                ASSERT_EQ(result.has_value() && result->has_value(), is_v4_error) << type << " " << code;
            }
            auto packet = make_icmp(kV6Router, kV6Source.ip, t, c, 0, v6);
            const auto result = inspect(packet);
            ASSERT_EQ(result.has_value(), is_v6_error || is_v6_echo) << type << " " << code;
            ASSERT_EQ(result.has_value() && result->has_value(), is_v6_error) << type << " " << code;
        }
    }
}

// P8
TEST(InspectIcmpError, NeedsOnlyEightBytesOfEmbeddedTcp) {
    auto original = make_tcp(kV4Source, kV4Destination, {}, Bytes(500));
    original.resize(28);
    auto error = make_icmp(kV4Router, kV4Source.ip, 3, 1, 0, original);

    const auto inspected = inspect(error);

    ASSERT_TRUE(inspected && *inspected);
    const auto& embedded = (*inspected)->embedded;
    EXPECT_EQ(embedded.source, kV4Source.ip);
    EXPECT_EQ(embedded.destination, kV4Destination.ip);
    EXPECT_EQ(embedded.source_value, (L4Value{L4Protocol::kTcp, 40000}));
    EXPECT_EQ(embedded.destination_value, (L4Value{L4Protocol::kTcp, 80}));
    EXPECT_EQ(embedded.l4_offset, 20U);
}

TEST(InspectIcmpError, ReadsAnEmbeddedEchoRequest) {
    const auto original = make_icmp_echo_request(kV6Source.ip, kV6Destination.ip, 4711, 9, Bytes(56));
    auto error = make_icmp(kV6Router, kV6Source.ip, 3, 0, 0, original);

    const auto inspected = inspect(error);

    ASSERT_TRUE(inspected && *inspected);
    EXPECT_EQ((*inspected)->embedded.source_value, (L4Value{L4Protocol::kIcmp, 4711}));
}

TEST(InspectIcmpError, FailsForWhatItCannotRead) {
    const auto reply = make_icmp_echo_reply(kV4Source.ip, kV4Destination.ip, 1, 1, {});
    auto about_reply = make_icmp(kV4Router, kV4Source.ip, 3, 1, 0, reply);
    EXPECT_EQ(inspect(about_reply).error(), IcmpInspectError::kUnsupportedEmbeddedPacket);

    auto about_gre =
        make_icmp(kV4Router, kV4Source.ip, 3, 1, 0, make_ip(kV4Source.ip, kV4Destination.ip, 47, Bytes(8)));
    EXPECT_EQ(inspect(about_gre).error(), IcmpInspectError::kUnsupportedEmbeddedPacket);

    auto cut = make_udp(kV4Source, kV4Destination, {});
    cut.resize(23);
    auto about_cut = make_icmp(kV4Router, kV4Source.ip, 3, 1, 0, cut);
    EXPECT_EQ(inspect(about_cut).error(), IcmpInspectError::kBadEmbeddedPacket);

    auto about_v6 = make_icmp(kV4Router, kV4Source.ip, 3, 1, 0, make_udp(kV6Source, kV6Destination, {}));
    EXPECT_EQ(inspect(about_v6).error(), IcmpInspectError::kBadEmbeddedPacket);

    auto empty = make_icmp(kV6Router, kV6Source.ip, 1, 0, 0, {});
    EXPECT_EQ(inspect(empty).error(), IcmpInspectError::kBadEmbeddedPacket);

    auto redirect = make_icmp(kV4Router, kV4Source.ip, 5, 0, 0, make_udp(kV4Source, kV4Destination, {}));
    EXPECT_EQ(inspect(redirect).error(), IcmpInspectError::kUnsupportedType);
}

TEST(InspectIcmpError, ReportsTheNextHopMtu) {
    auto v4 = make_icmp(kV4Router, kV4Source.ip, 3, 4, 1400, make_udp(kV4Source, kV4Destination, {}));
    auto v6 = make_icmp(kV6Router, kV6Source.ip, 2, 0, 70000, make_udp(kV6Source, kV6Destination, {}));
    auto other = make_icmp(kV4Router, kV4Source.ip, 3, 3, 1400, make_udp(kV4Source, kV4Destination, {}));

    EXPECT_EQ((*inspect(v4))->next_hop_mtu(), 1400U);
    EXPECT_EQ((*inspect(v6))->next_hop_mtu(), 70000U);
    EXPECT_EQ((*inspect(other))->next_hop_mtu(), std::nullopt);
}

TEST(TranslateIcmpError, SpeaksAboutTheProxyAddress) {
    const auto real = net::SocketAddress{*net::IpAddress::parse("10.20.0.10"), 80};
    const auto outside = net::SocketAddress{kV4Source.ip, 50000};
    const auto original = make_udp(outside, real, Bytes(100));
    auto error = make_icmp(kV4Router, kV4Source.ip, 3, 4, 1400, original);

    auto translated = translate_icmp_error(**inspect(error), kV4Destination.ip, kV4Source.ip, 40000);

    const auto packet = *IpPacket::parse(translated);
    EXPECT_EQ(packet.source(), kV4Destination.ip);
    EXPECT_EQ(packet.destination(), kV4Source.ip);
    EXPECT_EQ(packet.ttl(), 20);
    EXPECT_TRUE(packet.checksums_are_valid());
    const auto inspected = inspect(translated);
    ASSERT_TRUE(inspected && *inspected);
    EXPECT_EQ((*inspected)->next_hop_mtu(), 1400U);
    EXPECT_EQ((*inspected)->embedded.destination, kV4Destination.ip);
    EXPECT_EQ((*inspected)->embedded.source_value, (L4Value{L4Protocol::kUdp, 40000}));
    EXPECT_EQ((*inspected)->embedded.destination_value, (L4Value{L4Protocol::kUdp, 80}));
    EXPECT_EQ((*inspected)->embedded.bytes.size(), original.size());
}

TEST(TranslateIcmpError, RestoresTheEchoIdentifierBehindExtensionHeaders) {
    auto original = make_icmp_echo_request(kV6Source.ip, *net::IpAddress::parse("fd10:20::10"), 50000, 9, Bytes(56));
    const auto options = *from_hex("3a00000000000000");
    original[6] = std::byte{kProtocolDestinationOptions};
    original.insert(original.begin() + 40, options.begin(), options.end());
    auto error = make_icmp(kV6Router, kV6Source.ip, 1, 4, 0, original);

    auto translated = translate_icmp_error(**inspect(error), kV6Destination.ip, kV6Source.ip, 77);

    const auto inspected = inspect(translated);
    ASSERT_TRUE(inspected && *inspected);
    EXPECT_TRUE(IpPacket::parse(translated)->checksums_are_valid());
    EXPECT_EQ((*inspected)->embedded.destination, kV6Destination.ip);
    EXPECT_EQ((*inspected)->embedded.source_value, (L4Value{L4Protocol::kIcmp, 77}));
    EXPECT_EQ((*inspected)->embedded.l4_offset, 48U);
}

TEST(InspectIcmpError, NeverReadsBeyondGarbage) {
    auto rng = Rng::from_number(6);
    for (int round = 0; round < 20'000; ++round) {
        const bool v4 = rng.below(2) == 0;
        Bytes embedded(rng.below(100));
        rng.fill(embedded);
        if (!embedded.empty()) {
            embedded[0] = v4 ? std::byte{0x45} : std::byte{0x60};
        }
        auto packet =
            make_icmp(v4 ? kV4Router : kV6Router, v4 ? kV4Source.ip : kV6Source.ip, v4 ? 3 : 1, 1, 0, embedded);
        const auto inspected = inspect(packet);
        if (inspected && *inspected) {
            ASSERT_LE((*inspected)->embedded.l4_offset + 4, embedded.size());
        }
    }
}

}  // namespace
}  // namespace culvert::packet
