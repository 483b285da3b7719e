#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/turn/constants.h"

namespace culvert::turn {

/// Of ChannelData (RFC 8656 section 12.4) over UDP. Nobody in this project pads.
struct ChannelDataHeader {
    std::uint16_t channel = 0;
    std::uint16_t length = 0;  ///< of the payload, which starts kChannelDataHeaderSize bytes into the datagram

    friend bool operator==(const ChannelDataHeader&, const ChannelDataHeader&) = default;
};

/// What to do with bytes behind the payload.
enum class TrailingBytes : std::uint8_t {
    kRefuse,    ///< clients and gateways: the length must be exact (spec/connectivity.md section 2.4)
    kTolerate,  ///< the relay: surplus bytes are dropped (spec/relay.md section 6.1)
};

/// The header of a ChannelData datagram. nullopt unless the channel is in 0x4000-0x7fff and the payload complete.
[[nodiscard]] inline std::optional<ChannelDataHeader> decode_channel_data(ByteSpan datagram, TrailingBytes trailing) {
    if (datagram.size() < kChannelDataHeaderSize) {
        return std::nullopt;
    }
    const ChannelDataHeader header{load_be<std::uint16_t>(datagram), load_be<std::uint16_t>(datagram.subspan(2))};
    const auto available = datagram.size() - kChannelDataHeaderSize;
    const bool fits = trailing == TrailingBytes::kRefuse ? header.length == available : header.length <= available;
    if (header.channel < 0x4000 || header.channel > 0x7fff || !fits) {
        return std::nullopt;
    }
    return header;
}

/// Writes the header in front of a payload that is already in place. Requires out.size() >= kChannelDataHeaderSize.
inline void encode_channel_data_header(MutableByteSpan out, ChannelDataHeader header) {
    store_be(out, header.channel);
    store_be(out.subspan(2), header.length);
}

}  // namespace culvert::turn
