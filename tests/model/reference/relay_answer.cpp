#include "tests/model/reference/relay_answer.h"

#include <algorithm>
#include <cstddef>

namespace culvert::model {
namespace {

// RFC 8489 sections 5 and 14.8.
constexpr std::size_t kHeader = 20;
constexpr std::uint32_t kMagicCookie = 0x2112'A442;
constexpr std::uint16_t kAllocateSuccess = 0x0103;
constexpr std::uint16_t kAllocateError = 0x0113;
constexpr std::uint16_t kErrorCode = 0x0009;
constexpr unsigned kInsufficientCapacity = 508;

std::optional<unsigned> error_code(ByteSpan attributes) {
    while (attributes.size() >= 4) {
        const std::size_t length = load_be<std::uint16_t>(attributes.subspan(2));
        if (load_be<std::uint16_t>(attributes) == kErrorCode && length >= 4 && attributes.size() >= 8) {
            return std::to_integer<unsigned>(attributes[6] & std::byte{7}) * 100 +
                   std::to_integer<unsigned>(attributes[7]);
        }
        const auto padded = 4 + (length + 3) / 4 * 4;
        attributes = attributes.subspan(std::min(padded, attributes.size()));
    }
    return std::nullopt;
}

}  // namespace

std::optional<RelayAnswer> read_relay_answer(ByteSpan datagram) {
    if (datagram.size() < kHeader || load_be<std::uint32_t>(datagram.subspan(4)) != kMagicCookie) {
        return std::nullopt;
    }
    const auto type = load_be<std::uint16_t>(datagram);
    if (type == kAllocateSuccess) {
        return RelayAnswer::kAllocated;
    }
    if (type == kAllocateError && error_code(datagram.subspan(kHeader)) == kInsufficientCapacity) {
        return RelayAnswer::kNoPortLeft;
    }
    return std::nullopt;
}

}  // namespace culvert::model
