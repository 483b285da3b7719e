#include "culvert/packet/checksum.h"

namespace culvert::packet {

namespace {

/// Twice as wide as the words that are added, so that the carries gather in the upper half; compiles to one addition
/// with carry per word.
__extension__ using Wide = unsigned __int128;

std::uint64_t load_word(const std::byte* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

}  // namespace

Checksum& Checksum::add(ByteSpan bytes) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();

    // Four sums that do not wait for each other's carry.
    Wide a = sum_;
    Wide b = 0;
    Wide c = 0;
    Wide d = 0;
    for (; left >= 32; left -= 32, at += 32) {
        a += load_word(at);
        b += load_word(at + 8);
        c += load_word(at + 16);
        d += load_word(at + 24);
    }
    for (; left >= 8; left -= 8, at += 8) {
        b += load_word(at);
    }
    if (left > 0) {
        std::uint64_t tail = 0;  // an odd last byte is padded with a zero behind it
        std::memcpy(&tail, at, left);
        c += tail;
    }
    const Wide total = a + b + c + d;
    sum_ = static_cast<std::uint64_t>(total);
    return add_word(static_cast<std::uint64_t>(total >> 64));
}

std::uint16_t update_checksum(std::uint16_t checksum, ByteSpan before, ByteSpan after) {
    const auto removed = static_cast<std::uint16_t>(~Checksum{}.add(before).sum());
    return Checksum{}.add_u16(static_cast<std::uint16_t>(~checksum)).add_u16(removed).add(after).value();
}

}  // namespace culvert::packet
