#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "culvert/base/bytes.h"

namespace culvert::packet {

/// A running Internet checksum (RFC 1071): the ones' complement sum of 16-bit words.
///
/// The sum is kept in the byte order of the machine over words as they lie in memory, which gives the same bits as
/// summing big-endian words and needs no swap per word (RFC 1071 section 2 (B)).
class Checksum {
public:
    constexpr Checksum() = default;

    /// Adds bytes as they lie in the packet. Only the last addition may have an odd length.
    Checksum& add(ByteSpan bytes) { return bytes.size() < kLong ? add_short(bytes) : add_long(bytes); }

    /// Adds a 16- or 32-bit field by its value.
    constexpr Checksum& add_u16(std::uint16_t value) {
        return add_word(std::endian::native == std::endian::little ? std::byteswap(value) : value);
    }
    constexpr Checksum& add_u32(std::uint32_t value) {
        return add_word(std::endian::native == std::endian::little ? std::byteswap(value) : value);
    }

    /// Adds the pseudo-header of RFC 9293/768/8200. `addresses` = source and destination as they stand next to each
    /// other in the IP header (8 or 32 bytes), `length` = bytes of the L4 header and payload.
    Checksum& add_pseudo_header(ByteSpan addresses, std::uint8_t protocol, std::size_t length) {
        return add(addresses).add_u32(static_cast<std::uint32_t>(length)).add_u16(protocol);
    }

    /// The 16-bit sum, not complemented. 0xffff over a region that contains its valid checksum.
    [[nodiscard]] constexpr std::uint16_t sum() const {
        std::uint64_t folded = (sum_ & 0xffffffffU) + (sum_ >> 32);
        folded = (folded & 0xffffU) + (folded >> 16);
        folded = (folded & 0xffffU) + (folded >> 16);
        folded = (folded & 0xffffU) + (folded >> 16);
        const auto word = static_cast<std::uint16_t>(folded);
        return std::endian::native == std::endian::little ? std::byteswap(word) : word;
    }

    /// The complement of the sum: what goes into a checksum field.
    [[nodiscard]] constexpr std::uint16_t value() const { return static_cast<std::uint16_t>(~sum()); }

    /// As value(), but 0xffff for 0, which in UDP would mean "no checksum" (RFC 768).
    [[nodiscard]] constexpr std::uint16_t udp_value() const {
        const auto checksum = value();
        return checksum == 0 ? std::uint16_t{0xffff} : checksum;
    }

private:
    /// From here on a call pays.
    static constexpr std::size_t kLong = 64;

    Checksum& add_long(ByteSpan bytes);

    Checksum& add_short(ByteSpan bytes) {
        const std::byte* at = bytes.data();
        std::size_t left = bytes.size();
        for (; left >= 8; left -= 8, at += 8) {
            std::uint64_t word;
            std::memcpy(&word, at, sizeof word);
            add_word(word);
        }
        if (left >= 4) {
            std::uint32_t word;
            std::memcpy(&word, at, sizeof word);
            add_word(word);
            left -= 4;
            at += 4;
        }
        if (left > 0) {
            std::uint32_t word = 0;  // an odd last byte is padded with a zero behind it
            std::memcpy(&word, at, left);
            add_word(word);
        }
        return *this;
    }

    constexpr Checksum& add_word(std::uint64_t word) {
        sum_ += word;
        sum_ += static_cast<std::uint64_t>(sum_ < word);  // end-around carry
        return *this;
    }

    std::uint64_t sum_ = 0;
};

/// The checksum of one region whose checksum field is zero.
[[nodiscard]] inline std::uint16_t internet_checksum(ByteSpan bytes) {
    return Checksum{}.add(bytes).value();
}

/// A change of bytes that checksums cover, for fixing those without reading anything else (RFC 1624 equation 3).
class ChecksumDelta {
public:
    /// The bytes before and after, at an even offset. Requires equal, even sizes.
    ChecksumDelta(ByteSpan before, ByteSpan after)
        : ChecksumDelta{Checksum{}.add(before).sum(), Checksum{}.add(after).sum()} {}
    /// A 16-bit field, or the sums of longer ones.
    constexpr ChecksumDelta(std::uint16_t before, std::uint16_t after)
        : delta_{Checksum{}.add_u16(static_cast<std::uint16_t>(~before)).add_u16(after).sum()} {}

    /// The checksum after the change.
    [[nodiscard]] constexpr std::uint16_t apply(std::uint16_t checksum) const {
        return Checksum{}.add_u16(static_cast<std::uint16_t>(~checksum)).add_u16(delta_).value();
    }

private:
    std::uint16_t delta_;
};

}  // namespace culvert::packet
