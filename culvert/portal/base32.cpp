#include "culvert/portal/base32.h"

#include <cstdint>
#include <string_view>

namespace culvert::portal {
namespace {

std::string encode(ByteSpan bytes, std::string_view alphabet) {
    std::string text;
    text.reserve(bytes.size() * 8 / 5 + 8);
    std::uint32_t pending = 0;
    unsigned pending_bits = 0;
    for (const auto byte : bytes) {
        pending = pending << 8 | std::to_integer<std::uint32_t>(byte);
        pending_bits += 8;
        while (pending_bits >= 5) {
            pending_bits -= 5;
            text += alphabet[pending >> pending_bits & 31];
        }
    }
    if (pending_bits > 0) {
        text += alphabet[pending << (5 - pending_bits) & 31];
    }
    return text;
}

}  // namespace

std::string to_base32(ByteSpan bytes) {
    auto text = encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    text.append((8 - text.size() % 8) % 8, '=');
    return text;
}

std::string to_base32_lower(ByteSpan bytes) {
    return encode(bytes, "abcdefghijklmnopqrstuvwxyz234567");
}

}  // namespace culvert::portal
