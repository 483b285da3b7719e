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
    std::uint8_t u8() {
        if (rest_.empty()) {
            return 0;
        }
        const auto value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    /// At most 255, with their number in front.
    Bytes some_bytes() {
        const std::size_t wanted = u8();
        const auto part = rest_.first(std::min(wanted, rest_.size()));
        rest_ = rest_.subspan(part.size());
        return to_bytes(std::as_bytes(part));
    }

private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace culvert::fuzz
