#include "tests/model/wire/wireguard_message.h"

namespace culvert::model::wire {
namespace {

constexpr std::size_t kInitiationSize = 148;
constexpr std::size_t kResponseSize = 92;
constexpr std::size_t kCookieSize = 64;

}  // namespace

bool WireGuardMessage::looks_like(ByteSpan datagram) {
    return datagram.size() >= 4 && datagram[0] >= std::byte{1} && datagram[0] <= std::byte{4};
}

std::expected<WireGuardMessage, std::string_view> WireGuardMessage::decode(ByteSpan datagram) {
    if (load_le<std::uint32_t>(datagram) > 4) {
        return std::unexpected{"reserved bytes of a WireGuard message are not zero"};
    }
    WireGuardMessage message{.type = static_cast<WireGuardType>(datagram[0]), .bytes = datagram};
    switch (message.type) {
        case WireGuardType::kInitiation:
            if (datagram.size() != kInitiationSize) {
                return std::unexpected{"WireGuard initiation is not 148 bytes long"};
            }
            message.sender = load_le<std::uint32_t>(datagram.subspan(4));
            break;
        case WireGuardType::kResponse:
            if (datagram.size() != kResponseSize) {
                return std::unexpected{"WireGuard response is not 92 bytes long"};
            }
            message.sender = load_le<std::uint32_t>(datagram.subspan(4));
            message.receiver = load_le<std::uint32_t>(datagram.subspan(8));
            break;
        case WireGuardType::kCookie:
            if (datagram.size() != kCookieSize) {
                return std::unexpected{"WireGuard cookie reply is not 64 bytes long"};
            }
            message.receiver = load_le<std::uint32_t>(datagram.subspan(4));
            break;
        case WireGuardType::kData:
            if (datagram.size() < kDataOverhead) {
                return std::unexpected{"WireGuard data message is shorter than 32 bytes"};
            }
            message.receiver = load_le<std::uint32_t>(datagram.subspan(4));
            message.counter = load_le<std::uint64_t>(datagram.subspan(8));
            break;
    }
    return message;
}

}  // namespace culvert::model::wire
