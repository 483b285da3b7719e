#include "culvert/tcp/message_reader.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>

namespace culvert::tcp {
namespace {

constexpr std::size_t kLengthSize = 2;

}  // namespace

std::optional<Bytes> MessageReader::read(ByteSpan bytes, std::size_t& taken) {
    taken = 0;
    if (is_broken_) {
        return std::nullopt;
    }
    const auto fill_up_to = [&](std::size_t size) {
        const auto count = std::min(size - partial_.size(), bytes.size() - taken);
        append(partial_, bytes.subspan(taken, count));
        taken += count;
        return partial_.size() == size;
    };
    if (partial_.size() < kLengthSize && !fill_up_to(kLengthSize)) {
        return std::nullopt;
    }
    const std::size_t length = load_be<std::uint16_t>(partial_);
    if (length < kMinMessage) {
        is_broken_ = true;
        return std::nullopt;
    }
    if (!fill_up_to(kLengthSize + length)) {
        return std::nullopt;
    }
    auto message = std::exchange(partial_, {});
    message.erase(message.begin(), message.begin() + kLengthSize);
    return message;
}

Bytes with_length(ByteSpan message) {
    assert(message.size() <= 65535);
    Bytes framed;
    framed.reserve(kLengthSize + message.size());
    append_be(framed, static_cast<std::uint16_t>(message.size()));
    append(framed, message);
    return framed;
}

}  // namespace culvert::tcp
