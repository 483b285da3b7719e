#include "culvert/base/uuid.h"

#include "culvert/base/rng.h"

namespace culvert {
namespace {

constexpr std::size_t kTextLength = 36;

constexpr bool is_hyphen_position(std::size_t i) {
    return i == 8 || i == 13 || i == 18 || i == 23;
}

}  // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != kTextLength) {
        return std::nullopt;
    }
    std::string digits;
    digits.reserve(32);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_hyphen_position(i)) {
            if (text[i] != '-') {
                return std::nullopt;
            }
            continue;
        }
        digits.push_back(text[i]);
    }
    const auto bytes = from_hex(digits);
    if (!bytes) {
        return std::nullopt;
    }
    Uuid uuid;
    std::memcpy(uuid.bytes_.data(), bytes->data(), uuid.bytes_.size());
    return uuid;
}

Uuid Uuid::random(Rng& rng) {
    Uuid uuid;
    rng.fill(std::as_writable_bytes(std::span{uuid.bytes_}));
    uuid.bytes_[6] = static_cast<std::uint8_t>((uuid.bytes_[6] & 0x0f) | 0x40);
    uuid.bytes_[8] = static_cast<std::uint8_t>((uuid.bytes_[8] & 0x3f) | 0x80);
    return uuid;
}

std::string Uuid::to_string() const {
    const auto digits = to_hex(std::as_bytes(std::span{bytes_}));
    std::string text;
    text.reserve(kTextLength);
    for (const char digit : digits) {
        if (is_hyphen_position(text.size())) {
            text.push_back('-');
        }
        text.push_back(digit);
    }
    return text;
}

}  // namespace culvert
