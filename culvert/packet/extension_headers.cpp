#include "culvert/packet/extension_headers.h"

#include "culvert/packet/constants.h"

namespace culvert::packet {

namespace {

constexpr std::size_t kFragmentHeaderLength = 8;
constexpr std::uint16_t kFragmentOffset = 0xfff8;
constexpr std::uint16_t kMoreFragments = 0x0001;
constexpr std::size_t kSegmentsLeft = 3;  // offset in a routing header

/// Length of the hop-by-hop, destination options or routing header at the start of `bytes`, or 0 if it is truncated.
std::size_t options_length(ByteSpan bytes) {
    const auto length = bytes.size() < 2 ? 0 : (static_cast<std::size_t>(bytes[1]) + 1) * 8;
    return length > bytes.size() ? 0 : length;
}

}  // namespace

std::size_t ah_length(ByteSpan bytes) {
    constexpr std::size_t kFixedPart = 12;
    if (bytes.size() < kFixedPart) {
        return 0;
    }
    const auto length = (static_cast<std::size_t>(bytes[1]) + 2) * 4;
    return length < kFixedPart || length > bytes.size() ? 0 : length;
}

std::expected<UpperLayer, ExtensionError> walk_ipv6_extensions(ByteSpan packet, bool allow_first) {
    UpperLayer upper{static_cast<std::uint8_t>(packet[6]), kIpv6HeaderLength};
    while (true) {
        const auto rest = packet.subspan(upper.offset);
        std::size_t length = 0;
        switch (upper.protocol) {
            case kProtocolHopByHop:
                if (upper.offset != kIpv6HeaderLength) {
                    return std::unexpected{ExtensionError::kMalformed};
                }
                [[fallthrough]];
            case kProtocolDestinationOptions:
                length = options_length(rest);
                break;
            case kProtocolRouting:
                length = options_length(rest);
                if (length != 0 && rest[kSegmentsLeft] != std::byte{0}) {
                    return std::unexpected{ExtensionError::kSourceRoute};
                }
                break;
            case kProtocolAh:
                length = ah_length(rest);
                break;
            case kProtocolFragment: {
                if (rest.size() < kFragmentHeaderLength) {
                    return std::unexpected{ExtensionError::kMalformed};
                }
                const auto fragment = load_be<std::uint16_t>(rest.subspan(2));
                if ((fragment & kFragmentOffset) != 0 || ((fragment & kMoreFragments) != 0 && !allow_first)) {
                    return std::unexpected{ExtensionError::kFragment};
                }
                length = kFragmentHeaderLength;
                break;
            }
            default:
                return upper;
        }
        if (length == 0 || length > rest.size()) {
            return std::unexpected{ExtensionError::kMalformed};
        }
        upper = {static_cast<std::uint8_t>(rest[0]), upper.offset + length};
    }
}

}  // namespace culvert::packet
