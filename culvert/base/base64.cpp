#include "culvert/base/base64.h"

#include <array>
#include <cstdint>

namespace culvert {
namespace {

constexpr std::string_view kStandardAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::string_view alphabet(Base64 variant) {
    return variant == Base64::kUrlNoPadding ? kUrlAlphabet : kStandardAlphabet;
}

constexpr std::uint8_t kInvalid = 0xff;

constexpr std::array<std::uint8_t, 256> decoding_table(std::string_view letters) {
    std::array<std::uint8_t, 256> table{};
    table.fill(kInvalid);
    for (std::size_t i = 0; i < letters.size(); ++i) {
        table[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
}

constexpr auto kStandardTable = decoding_table(kStandardAlphabet);
constexpr auto kUrlTable = decoding_table(kUrlAlphabet);

}  // namespace

std::string to_base64(ByteSpan bytes, Base64 variant) {
    const auto letters = alphabet(variant);
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto count = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8 | (k < count ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k <= count; ++k) {
            text.push_back(letters[group >> (18 - 6 * k) & 63U]);
        }
        if (variant == Base64::kStandard) {
            text.append(3 - count, '=');
        }
    }
    return text;
}

std::optional<Bytes> from_base64(std::string_view text, Base64 variant) {
    if (variant == Base64::kStandard) {
        if (text.size() % 4 != 0) {
            return std::nullopt;
        }
        if (text.ends_with("==")) {
            text.remove_suffix(2);
        } else if (text.ends_with('=')) {
            text.remove_suffix(1);
        }
    }
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }

    const auto& table = variant == Base64::kUrlNoPadding ? kUrlTable : kStandardTable;
    Bytes bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto value = table[static_cast<unsigned char>(c)];
        if (value == kInvalid) {
            return std::nullopt;
        }
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<std::byte>(bits >> count & 0xff));
        }
    }
    if ((bits & ((1U << count) - 1)) != 0) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace culvert
