// ChannelData headers: whatever decodes must encode to the same bytes, and the strict rule accepts a subset of the
// tolerant one.

#include <array>
#include <cstdint>
#include <cstdlib>

#include "culvert/turn/channel_data.h"

namespace {

using namespace culvert;
using namespace culvert::turn;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes datagram = to_bytes(std::as_bytes(std::span{data, size}));
    const auto strict = decode_channel_data(datagram, TrailingBytes::kRefuse);
    const auto tolerant = decode_channel_data(datagram, TrailingBytes::kTolerate);
    if (strict) {
        require(tolerant == strict);
        require(kChannelDataHeaderSize + strict->length == size);
    }
    if (tolerant) {
        require(tolerant->channel >= 0x4000 && tolerant->channel <= 0x7fff);
        require(kChannelDataHeaderSize + tolerant->length <= size);
        std::array<std::byte, kChannelDataHeaderSize> header{};
        encode_channel_data_header(header, *tolerant);
        require(equal(header, ByteSpan{datagram}.first(kChannelDataHeaderSize)));
    }
    return 0;
}
