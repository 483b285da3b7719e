#include "culvert/stun/integrity.h"

#include <cassert>

#include "culvert/crypto/hash.h"
#include "culvert/crypto/hmac.h"
#include "culvert/stun/constants.h"

namespace culvert::stun {
namespace {

constexpr std::uint32_t kFingerprintXor = 0x5354554e;  // "STUN"

// The length field counts the attribute that is being made, whatever the message says at the moment.
std::array<std::byte, 4> patched_start(ByteSpan message, std::size_t attribute_size) {
    assert(message.size() >= kHeaderSize);
    std::array<std::byte, 4> start{message[0], message[1]};
    store_be(MutableByteSpan{start}.subspan(2),
             static_cast<std::uint16_t>(message.size() - kHeaderSize + attribute_size));
    return start;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        auto value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1) != 0 ? (value >> 1) ^ 0xedb88320 : value >> 1;
        }
        table[i] = value;
    }
    return table;
}
constexpr auto kCrcTable = make_crc_table();

}  // namespace

LongTermKey long_term_key(std::string_view username, std::string_view realm, std::string_view password) {
    return LongTermKey{
        crypto::md5({as_bytes(username), as_bytes(":"), as_bytes(realm), as_bytes(":"), as_bytes(password)})};
}

std::array<std::byte, 20> message_integrity(ByteSpan message, ByteSpan key) {
    const auto start = patched_start(message, kAttributeHeaderSize + kIntegritySize);
    return crypto::hmac_sha1(key, {ByteSpan{start}, message.subspan(4)});
}

std::uint32_t message_fingerprint(ByteSpan message) {
    const auto start = patched_start(message, kAttributeHeaderSize + 4);
    return crc32(message.subspan(4), crc32(start)) ^ kFingerprintXor;
}

std::uint32_t crc32(ByteSpan bytes, std::uint32_t seed) {
    auto crc = ~seed;
    for (const auto byte : bytes) {
        crc = kCrcTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff] ^ (crc >> 8);
    }
    return ~crc;
}

}  // namespace culvert::stun
