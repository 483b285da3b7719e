// Packets in fragments: taken apart, put together, and what attackers make of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/reassembler.h"
#include "culvert/packet/segmenter.h"

namespace culvert::packet {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1h};
const auto kV4Source = net::SocketAddress{*net::IpAddress::parse("100.64.0.1"), 40000};
const auto kV4Destination = net::SocketAddress{*net::IpAddress::parse("10.20.0.10"), 53};
const auto kV6Source = net::SocketAddress{*net::IpAddress::parse("fd00:2021:1111::1"), 40000};
const auto kV6Destination = net::SocketAddress{*net::IpAddress::parse("fd10:20::10"), 53};

Reassembler::Party peer(std::uint8_t number) {
    std::array<std::uint8_t, 16> bytes{};
    bytes[15] = number;
    return Uuid{bytes};
}

Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    auto rng = Rng::from_number(size);
    rng.fill(bytes);
    return bytes;
}

/// As its sender had it, which may be too long for the tunnel; of IPv6 with a fragment header.
Bytes whole_packet(bool v4, std::size_t payload, std::uint16_t identification = 7) {
    if (v4) {
        return make_udp(kV4Source, kV4Destination, random_bytes(payload),
                        {.dont_fragment = false, .identification = identification});
    }
    const auto plain = make_udp(kV6Source, kV6Destination, random_bytes(payload));
    Bytes packet{plain.begin(), plain.begin() + kIpv6HeaderLength};
    packet[6] = std::byte{kProtocolFragment};
    const Bytes header = {std::byte{kProtocolUdp},         {}, {}, {}, {}, {}, std::byte(identification >> 8),
                          std::byte(identification & 0xff)};
    packet.insert(packet.end(), header.begin(), header.end());
    packet.insert(packet.end(), plain.begin() + kIpv6HeaderLength, plain.end());
    store_be(MutableByteSpan{packet}.subspan(4), static_cast<std::uint16_t>(packet.size() - kIpv6HeaderLength));
    return packet;
}

std::vector<Bytes> fragments_of(Bytes whole) {
    std::vector<Bytes> fragments;
    Segmenter segmenter{IpPacket::parse(whole, kMaxSuperPacket).value()};
    EXPECT_EQ(segmenter.error(), std::nullopt);
    while (const auto fragment = segmenter.next()) {
        fragments.push_back(to_bytes(*fragment));
    }
    return fragments;
}

/// A fragment as an attacker would make it, of whatever length and at whatever place.
Bytes fragment(bool v4, std::size_t offset, ByteSpan payload, bool is_last, std::uint16_t identification = 7) {
    auto packet = whole_packet(v4, 0, identification);
    packet.resize(v4 ? kIpv4FragmentHeader : kIpv6FragmentHeader);
    packet.insert(packet.end(), payload.begin(), payload.end());
    write_fragment_header(packet, offset, payload.size(), is_last);
    return packet;
}
Bytes fragment(bool v4, std::size_t offset, std::size_t size, bool is_last, std::uint16_t identification = 7) {
    return fragment(v4, offset, Bytes(size, std::byte{0x5a}), is_last, identification);
}

class Fragments : public ::testing::TestWithParam<bool> {
protected:
    std::optional<Bytes> add(ByteSpan bytes, Instant now = kNow, const Reassembler::Party& party = peer(1)) {
        const auto whole = reassembler.add(party, bytes, now);
        return whole ? std::optional{to_bytes(*whole)} : std::nullopt;
    }

    bool v4 = GetParam();
    Reassembler reassembler;
};

INSTANTIATE_TEST_SUITE_P(Families, Fragments, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "IPv4" : "IPv6"; });

TEST_P(Fragments, OfALongPacketFitTheTunnelAndMakeItAgainInAnyOrder) {
    auto order = Rng::from_number(42);
    for (const std::size_t payload : {1300U, 4008U, 9000U, 65000U}) {
        const auto whole = whole_packet(v4, payload);
        auto fragments = fragments_of(whole);
        const std::size_t most = v4 ? 1256 : 1232;
        EXPECT_EQ(fragments.size(), (payload + 8 + most - 1) / most) << "no more than it takes";
        for (auto i = fragments.size(); i > 1; --i) {
            std::swap(fragments[i - 1], fragments[order.next_u64() % i]);
        }
        for (std::size_t i = 0; i < fragments.size(); ++i) {
            EXPECT_LE(fragments[i].size(), kMaxIpPacket);
            EXPECT_FALSE(IpPacket::parse(fragments[i])) << "is for nobody but a Reassembler";
            const auto made = add(fragments[i]);
            ASSERT_EQ(made.has_value(), i + 1 == fragments.size());
            EXPECT_TRUE(!made || *made == whole);
        }
        EXPECT_EQ(reassembler.size(), 0U);
        EXPECT_EQ(reassembler.cost(), 0U);
    }
}

TEST_P(Fragments, WaitAsAWhole) {
    auto whole = whole_packet(v4, 4000);
    Segmenter segmenter{IpPacket::parse(whole, kMaxSuperPacket).value()};
    EXPECT_EQ(segmenter.remaining(), 4U);
    EXPECT_EQ(segmenter.next_to_keep()->size(), whole.size());
    EXPECT_FALSE(segmenter.next_to_keep());
}

TEST_P(Fragments, ThatComeTwiceAreTakenOnce) {
    const auto whole = whole_packet(v4, 3000);
    const auto fragments = fragments_of(whole);
    for (const std::size_t i : {0U, 0U, 2U, 2U, 0U}) {
        EXPECT_FALSE(add(fragments[i]));
    }
    EXPECT_EQ(add(fragments[1]), whole);
}

TEST_P(Fragments, ThatOverlapMakeThePacketNone) {
    const struct {
        std::size_t offset;
        std::size_t size;
    } overlaps[] = {{0, 1232}, {0, 8}, {8, 8}, {1224, 16}, {8, 2000}, {0, 4000}};
    for (const auto& [offset, size] : overlaps) {
        const auto whole = whole_packet(v4, 3000);
        const auto fragments = fragments_of(whole);
        reassembler = {};
        EXPECT_FALSE(add(fragments[0]));
        EXPECT_FALSE(add(fragment(v4, offset, size, false)));
        EXPECT_FALSE(add(fragments[1]));
        EXPECT_FALSE(add(fragments[2])) << "overlap at " << offset << " of " << size;
        for (const auto& again : fragments) {
            EXPECT_FALSE(add(again)) << "what comes of it later is not taken either";
        }
        EXPECT_LT(reassembler.cost(), 1000U) << "nor is anything of it kept";
    }
}

TEST_P(Fragments, ThatDisagreeAboutTheEndMakeThePacketNone) {
    const Bytes bad[] = {fragment(v4, 2400, 8, true),    // ends earlier than what is there
                         fragment(v4, 4000, 8, true),    // ends twice
                         fragment(v4, 4000, 8, false)};  // goes on behind the end
    for (const auto& packet : bad) {
        reassembler = {};
        EXPECT_FALSE(add(fragment(v4, 2464, 1000, true)));
        EXPECT_FALSE(add(packet));
        EXPECT_FALSE(add(fragment(v4, 0, 1232, false)));
        EXPECT_FALSE(add(fragment(v4, 1232, 1232, false)));
    }
    reassembler = {};
    EXPECT_FALSE(add(fragment(v4, 1232, 1232, false)));
    EXPECT_FALSE(add(fragment(v4, 0, 1232, true))) << "the end before what is there";
    EXPECT_FALSE(add(fragment(v4, 0, 1232, false)));
}

TEST_P(Fragments, ThatAreNoneByThemselvesAreIgnored) {
    EXPECT_FALSE(add({}));
    EXPECT_FALSE(add(whole_packet(v4, 100))) << "a whole packet, or an atomic fragment";
    EXPECT_FALSE(add(fragment(v4, 0, 0, false)));
    EXPECT_FALSE(add(fragment(v4, 0, 1231, false))) << "only the last one may be so long";
    EXPECT_FALSE(add(fragment(v4, 65528, 100, true))) << "reaches beyond the longest packet: the ping of death";
    const auto good = fragment(v4, 8, 1232, false);
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_FALSE(add(ByteSpan{good}.first(length)));
    }
    EXPECT_EQ(reassembler.size(), 0U);
}

TEST_P(Fragments, OfOthersDoNotMix) {
    const auto whole = whole_packet(v4, 2000);
    const auto fragments = fragments_of(whole);
    const auto other = fragments_of(whole_packet(v4, 2000, 8));
    EXPECT_FALSE(add(fragments[0]));
    EXPECT_FALSE(add(fragments[1], kNow, peer(2))) << "another peer, with the same addresses";
    EXPECT_FALSE(add(other[1])) << "another packet";
    EXPECT_EQ(add(fragments[1]), whole);
}

TEST_P(Fragments, AreForgottenAfterAWhile) {
    const auto fragments = fragments_of(whole_packet(v4, 2000));
    EXPECT_FALSE(add(fragments[0]));
    ASSERT_EQ(reassembler.poll_timeout(), kNow + kReassemblyTime);
    EXPECT_FALSE(add(fragments[1], kNow + kReassemblyTime)) << "the sender may have begun anew";

    EXPECT_FALSE(add(fragment(v4, 0, 8, false, 9), kNow + kReassemblyTime + 1s));
    reassembler.handle_timeout(kNow + kReassemblyTime);
    EXPECT_EQ(reassembler.size(), 2U);
    reassembler.handle_timeout(kNow + 2 * kReassemblyTime);
    EXPECT_EQ(reassembler.size(), 1U);
    ASSERT_EQ(reassembler.poll_timeout(), kNow + 2 * kReassemblyTime + 1s);
    reassembler.handle_timeout(*reassembler.poll_timeout());
    EXPECT_EQ(reassembler.size(), 0U);
    EXPECT_EQ(reassembler.cost(), 0U);
    EXPECT_EQ(reassembler.poll_timeout(), std::nullopt);
}

TEST_P(Fragments, OfOnePeerHaveTheirShareOfRoomAndNoMore) {
    const auto whole = whole_packet(v4, 2000, 9);
    const auto fragments = fragments_of(whole);
    EXPECT_FALSE(add(fragments[0], kNow, peer(2)));
    for (std::uint16_t i = 0; i < 5000; ++i) {
        EXPECT_FALSE(add(fragment(v4, 8, 1232, false, static_cast<std::uint16_t>(i + 100)), kNow + i * 1ns));
        ASSERT_LE(reassembler.size(), kReassembliesPerParty + 1);
        ASSERT_LE(reassembler.cost(), kReassemblyBytesPerParty + 4000);
    }
    EXPECT_EQ(add(fragments[1], kNow + 1s, peer(2)), whole) << "nobody loses by the flood of another";
    EXPECT_FALSE(add(fragments[0], kNow + 1s));
    EXPECT_EQ(add(fragments[1], kNow + 1s), whole) << "and who floods still gets new ones through";
}

TEST_P(Fragments, AreCountedTinyOnesMore) {
    for (std::size_t i = 0; i < 10'000; ++i) {
        EXPECT_FALSE(add(fragment(v4, 16 * (i % 4000), 8, false)));
    }
    EXPECT_LE(reassembler.cost(), kMaxFragments * 200 + 1000);
    EXPECT_FALSE(add(fragment(v4, 8, 8, false)));
}

TEST_P(Fragments, OfAllHaveARoomAsWell) {
    const auto whole = whole_packet(v4, 2000, 9);
    const auto fragments = fragments_of(whole);
    EXPECT_FALSE(add(fragments[0], kNow, peer(255)));
    for (std::uint16_t i = 0; i < 60; ++i) {
        for (std::uint8_t number = 1; number < 64; ++number) {
            for (const std::size_t offset : {8U, 2000U, 4000U, 6000U, 8000U, 10000U, 12000U}) {
                EXPECT_FALSE(add(fragment(v4, offset, 1232, false, static_cast<std::uint16_t>(i + 100)), kNow + i * 1ns,
                                 peer(number)));
            }
            ASSERT_LE(reassembler.cost(), kReassemblyBytes);
        }
    }
    EXPECT_EQ(add(fragments[1], kNow + 1s, peer(255)), whole) << "who has little loses nothing";
}

TEST_P(Fragments, CarryTheCongestionMarksOfRouters) {
    auto whole = whole_packet(v4, 2000);
    IpPacket::parse(whole, kMaxSuperPacket)->set_ecn(net::Ecn::kEct0);
    auto fragments = fragments_of(whole);
    // Marked on the way: neither of the two is ever reached by IpPacket, which knows whole packets only.
    if (v4) {
        fragments[1][1] |= std::byte{0x03};
    } else {
        fragments[1][1] |= std::byte{0x30};
    }
    EXPECT_FALSE(add(fragments[0]));
    auto made = add(fragments[1]);
    ASSERT_TRUE(made);
    EXPECT_EQ(IpPacket::parse(*made, kMaxSuperPacket)->ecn(), net::Ecn::kCe);
    EXPECT_TRUE(IpPacket::parse(*made, kMaxSuperPacket)->checksums_are_valid());
}

TEST_P(Fragments, SurviveATranslationOfTheWhole) {
    auto whole = whole_packet(v4, 4000);
    auto packet = IpPacket::parse(whole, kMaxSuperPacket).value();
    packet.set_destination(*net::IpAddress::parse(v4 ? "192.0.2.9" : "2001:db8::9"));
    packet.set_source_value(1);
    std::optional<Bytes> made;
    for (const auto& part : fragments_of(whole)) {
        made = add(part);
    }
    ASSERT_TRUE(made);
    const auto again = IpPacket::parse(*made, kMaxSuperPacket).value();
    EXPECT_EQ(again.source_port(), 1);
    EXPECT_TRUE(again.checksums_are_valid());
}

TEST(Fragment, WithIpv4OptionsOrBehindOtherExtensionHeadersIsNone) {
    auto with_options = fragment(true, 0, 1232, false);
    with_options[0] = std::byte{0x46};
    EXPECT_FALSE(read_fragment(with_options));
    auto behind_options = fragment(false, 0, 1232, false);
    behind_options[6] = std::byte{kProtocolDestinationOptions};
    EXPECT_FALSE(read_fragment(behind_options));
}

}  // namespace
}  // namespace culvert::packet
