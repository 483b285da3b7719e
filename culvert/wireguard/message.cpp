#include "culvert/wireguard/message.h"

namespace culvert::wireguard {

std::optional<PacketKind> classify(ByteSpan datagram) {
    if (datagram.size() < kMinDataSize) {
        return std::nullopt;
    }
    switch (load_le<std::uint32_t>(datagram)) {
        case 4:
            return PacketKind::kData;
        case 1:
            return datagram.size() == kInitiationSize ? std::optional{PacketKind::kInitiation} : std::nullopt;
        case 2:
            return datagram.size() == kResponseSize ? std::optional{PacketKind::kResponse} : std::nullopt;
        case 3:
            return datagram.size() == kCookieReplySize ? std::optional{PacketKind::kCookieReply} : std::nullopt;
        default:
            return std::nullopt;
    }
}

std::uint32_t receiver_index(ByteSpan datagram) {
    // Responses name their sender first, everything else that has a receiver index starts with it.
    const auto offset = load_le<std::uint32_t>(datagram) == static_cast<std::uint32_t>(PacketKind::kResponse) ? 8U : 4U;
    return load_le<std::uint32_t>(datagram.subspan(offset));
}

std::uint32_t sender_index(ByteSpan datagram) {
    return load_le<std::uint32_t>(datagram.subspan(4));
}

}  // namespace culvert::wireguard
