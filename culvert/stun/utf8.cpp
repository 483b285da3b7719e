#include "culvert/stun/utf8.h"

#include <cstdint>

namespace culvert::stun {

bool is_utf8(ByteSpan bytes) {
    std::size_t i = 0;
    while (i < bytes.size()) {
        const auto lead = std::to_integer<std::uint32_t>(bytes[i]);
        ++i;
        if (lead < 0x80) {
            continue;
        }
        // Valid ranges of the second byte differ per lead byte (Unicode table 3-7); the others are 80..BF.
        std::size_t more = 0;
        std::uint32_t low = 0x80;
        std::uint32_t high = 0xbf;
        if (lead >= 0xc2 && lead <= 0xdf) {
            more = 1;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            more = 2;
            low = lead == 0xe0 ? 0xa0 : low;
            high = lead == 0xed ? 0x9f : high;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            more = 3;
            low = lead == 0xf0 ? 0x90 : low;
            high = lead == 0xf4 ? 0x8f : high;
        } else {
            return false;
        }
        if (bytes.size() - i < more) {
            return false;
        }
        for (; more > 0; --more, ++i) {
            const auto byte = std::to_integer<std::uint32_t>(bytes[i]);
            if (byte < low || byte > high) {
                return false;
            }
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

}  // namespace culvert::stun
