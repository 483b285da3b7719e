#include "culvert/packet/checksum.h"

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert::packet {
namespace {

/// Word by word, as RFC 1071 describes it.
std::uint16_t plain_sum(ByteSpan bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto high = static_cast<std::uint32_t>(bytes[i]) << 8;
        const auto low = i + 1 < bytes.size() ? static_cast<std::uint32_t>(bytes[i + 1]) : 0U;
        sum += high | low;
        sum = (sum & 0xffffU) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

TEST(Checksum, MatchesTheExampleOfRfc1071) {
    const auto bytes = *from_hex("0001f203f4f5f6f7");

    EXPECT_EQ(Checksum{}.add(bytes).sum(), 0xddf2);
}

TEST(Checksum, MatchesAKnownIpv4Header) {
    EXPECT_EQ(internet_checksum(*from_hex("450000730000400040110000c0a80001c0a800c7")), 0xb861);
    EXPECT_EQ(Checksum{}.add(*from_hex("45000073000040004011b861c0a80001c0a800c7")).sum(), 0xffff);
}

TEST(Checksum, AgreesWithThePlainSumForEveryLengthAndAlignment) {
    auto rng = Rng::from_number(1);
    Bytes buffer(2000);
    rng.fill(buffer);
    for (std::size_t offset = 0; offset < 16; ++offset) {
        for (std::size_t length = 0; length < 300; ++length) {
            const auto bytes = ByteSpan{buffer}.subspan(offset, length);
            ASSERT_EQ(Checksum{}.add(bytes).sum(), plain_sum(bytes)) << offset << " " << length;
        }
    }
}

TEST(Checksum, LosesNoCarryOverALongRunOfOnes) {
    const Bytes ones(65535, std::byte{0xff});

    EXPECT_EQ(Checksum{}.add(ones).sum(), plain_sum(ones));
}

TEST(Checksum, IsTheSameInPieces) {
    auto rng = Rng::from_number(2);
    Bytes buffer(1281);
    rng.fill(buffer);
    const ByteSpan bytes{buffer};

    for (std::size_t split = 0; split < bytes.size(); split += 2) {
        ASSERT_EQ(Checksum{}.add(bytes.first(split)).add(bytes.subspan(split)).sum(), plain_sum(bytes));
    }
}

TEST(Checksum, AddsFieldsByValue) {
    const auto bytes = *from_hex("123489abcdef");

    EXPECT_EQ(Checksum{}.add_u16(0x1234).add_u32(0x89abcdef).sum(), plain_sum(bytes));
}

TEST(Checksum, NeverYieldsZeroForUdp) {
    Checksum checksum;
    checksum.add_u16(0xffff);

    EXPECT_EQ(checksum.value(), 0);
    EXPECT_EQ(checksum.udp_value(), 0xffff);
}

TEST(ChecksumDelta, MatchesTheExampleOfRfc1624) {
    EXPECT_EQ(ChecksumDelta(0x5555, 0x3285).apply(0xdd2f), 0x0000);
}

TEST(ChecksumDelta, AgreesWithComputingAfresh) {
    auto rng = Rng::from_number(3);
    for (int round = 0; round < 20'000; ++round) {
        auto bytes = rng.array<64>();
        bytes[0] = std::byte{0x45};  // as in every packet, something is not zero
        const auto before = internet_checksum(bytes);
        const auto at = 2 + 2 * rng.below(30);
        const auto length = 2 * (1 + rng.below(std::min<std::uint64_t>(8, (64 - at) / 2)));
        const auto field = MutableByteSpan{bytes}.subspan(at, length);
        const auto old = to_bytes(field);
        switch (rng.below(4)) {
            case 0:
                std::ranges::fill(field, std::byte{0});
                break;
            case 1:
                std::ranges::fill(field, std::byte{0xff});
                break;
            default:
                rng.fill(field);
        }
        ASSERT_EQ(ChecksumDelta(old, field).apply(before), internet_checksum(bytes));
    }
}

}  // namespace
}  // namespace culvert::packet
