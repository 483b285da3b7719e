#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "culvert/base/bytes.h"

namespace culvert::fuzz {

/// What a fuzzer made up, taken bit by bit. At its end everything is zero or empty.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_{data, size} {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] std::size_t left() const { return rest_.size(); }
    std::uint8_t u8() {
        if (rest_.empty()) {
            return 0;
        }
        const auto value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint16_t u16() {
        const auto high = u8();
        return static_cast<std::uint16_t>(high << 8 | u8());
    }
    /// At most that many, in a heap copy of exact size, so that the sanitizer sees each byte read beyond it.
    Bytes take(std::size_t wanted) {
        const auto part = rest_.first(std::min(wanted, rest_.size()));
        rest_ = rest_.subspan(part.size());
        return to_bytes(std::as_bytes(part));
    }
    /// At most 255, with their number in front.
    Bytes some_bytes() { return take(u8()); }

private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace culvert::fuzz
