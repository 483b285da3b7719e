#include "culvert/base/printable.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace culvert {
namespace {

constexpr char32_t kReplacement = 0xfffd;  // U+FFFD, what stands for what is no character

struct Decoded {
    char32_t code_point = kReplacement;
    std::size_t length = 1;
    bool is_valid = false;
};

/// The first character of `utf8`, which is not empty. RFC 3629: no overlong forms, no surrogates.
Decoded decode_first(std::string_view utf8) {
    const auto lead = static_cast<unsigned char>(utf8[0]);
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > utf8.size()) {
        return {};
    }
    char32_t code_point = lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(utf8[i]);
        if ((next & 0xc0U) != 0x80U) {
            return {};
        }
        code_point = code_point << 6U | (next & 0x3fU);
    }
    constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < kSmallest.at(length) || is_surrogate || code_point > 0x10ffff) {
        return {};
    }
    return {code_point, length, true};
}

bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/// Acts on what stands around it, or is there without showing (Unicode Standard Annex 9, and chapter 23).
bool is_invisible(char32_t c) {
    const auto is_in = [&](char32_t first, char32_t last) { return c >= first && c <= last; };
    return c == 0x061c || is_in(0x200e, 0x200f) || is_in(0x2028, 0x202e) || is_in(0x2066, 0x2069) ||  // direction
           c == 0x200b || c == 0x2060 || c == 0xfeff ||                                               // no width
           is_in(0xfff9, 0xfffb) || is_in(0xe0000, 0xe0fff);  // annotations, tags
}

void append_escaped(std::string& out, char32_t c) {
    std::array<char, 8> code{};
    std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c > 0xffff ? kReplacement : c));
    out += code.data();
}

}  // namespace

std::string escape_unprintable(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    while (!utf8.empty()) {
        const auto next = decode_first(utf8);
        if (next.is_valid && !is_control(next.code_point) && !is_invisible(next.code_point)) {
            out += utf8.substr(0, next.length);
        } else {
            append_escaped(out, next.code_point);
        }
        utf8.remove_prefix(next.length);
    }
    return out;
}

bool is_printable(std::string_view utf8) {
    return escape_unprintable(utf8) == utf8;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto next = decode_first(text);
        if (!next.is_valid) {
            return false;
        }
        text.remove_prefix(next.length);
    }
    return true;
}

bool has_control_characters(std::string_view utf8) {
    while (!utf8.empty()) {
        const auto next = decode_first(utf8);
        if (is_control(next.code_point)) {
            return true;
        }
        utf8.remove_prefix(next.length);
    }
    return false;
}

}  // namespace culvert
