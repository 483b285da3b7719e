#include "tests/model/wire/crc32.h"

#include <array>

namespace culvert::model::wire {
namespace {

constexpr std::uint32_t kPolynomial = 0xEDB88320;
constexpr std::size_t kStride = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kStride>;

/// Table n advances the checksum over a byte that n other bytes follow, so that eight bytes cost eight look-ups that do
/// not wait for each other.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        auto value = byte;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
        }
        tables[0][byte] = value;
    }
    for (std::size_t n = 1; n < kStride; ++n) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const auto value = tables[n - 1][byte];
            tables[n][byte] = (value >> 8) ^ tables[0][value & 0xFF];
        }
    }
    return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32(ByteSpan bytes) {
    std::uint32_t state = 0xFFFFFFFF;
    for (; bytes.size() >= kStride; bytes = bytes.subspan(kStride)) {
        const auto word = load_le<std::uint64_t>(bytes) ^ state;
        state = 0;
        for (std::size_t i = 0; i < kStride; ++i) {
            state ^= kTables[kStride - 1 - i][(word >> (8 * i)) & 0xFF];
        }
    }
    for (const auto byte : bytes) {
        state = (state >> 8) ^ kTables[0][(state ^ std::to_integer<std::uint32_t>(byte)) & 0xFF];
    }
    return ~state;
}

}  // namespace culvert::model::wire
