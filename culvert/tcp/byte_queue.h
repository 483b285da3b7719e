#pragma once

#include <cstddef>

#include "culvert/base/bytes.h"

namespace culvert::tcp {

/// Bytes of a stream that wait, first in, first out, side by side in memory.
class ByteQueue {
public:
    [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    /// Valid until the next change.
    [[nodiscard]] ByteSpan view() const { return ByteSpan{bytes_}.subspan(begin_); }

    void push(ByteSpan bytes) {
        if (begin_ > bytes_.size() / 2) {  // moving them costs less than what went before has cost
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
            begin_ = 0;
        }
        append(bytes_, bytes);
    }

    /// Requires count <= size().
    void pop(std::size_t count) {
        begin_ += count;
        if (empty()) {
            begin_ = 0;
            if (bytes_.capacity() > kKept) {  // most connections wait most of the time
                bytes_ = {};
            }
            bytes_.clear();
        }
    }

private:
    static constexpr std::size_t kKept = 4096;

    Bytes bytes_;
    std::size_t begin_ = 0;
};

}  // namespace culvert::tcp
