#include "culvert/tunnel/p2p/control_packet.h"

#include <algorithm>

#include "culvert/packet/constants.h"

namespace culvert::tunnel::p2p {
namespace {

constexpr std::size_t kIpv6HeaderLength = packet::kIpv6HeaderLength;
constexpr std::size_t kEventHeaderLength = 8;
constexpr std::size_t kHeaderLength = kIpv6HeaderLength + kEventHeaderLength;
constexpr std::byte kVersion6{0x60};
constexpr std::byte kReservedNextHeader{0xff};

void write_headers(MutableByteSpan packet, EventType type) {
    packet[0] = kVersion6;
    store_be(packet.subspan(4), static_cast<std::uint16_t>(packet.size() - kIpv6HeaderLength));
    packet[6] = kReservedNextHeader;
    packet[kIpv6HeaderLength] = static_cast<std::byte>(type);
}

}  // namespace

bool is_control_packet(ByteSpan packet) {
    return packet.size() >= kHeaderLength && (packet[0] & std::byte{0xf0}) == kVersion6 &&
           packet[6] == kReservedNextHeader && load_be<std::uint16_t>(packet.subspan(4)) >= kEventHeaderLength &&
           std::ranges::all_of(packet.subspan(8, 32), [](std::byte b) { return b == std::byte{0}; });
}

std::optional<ControlPacket> parse_control_packet(ByteSpan packet) {
    if (!is_control_packet(packet)) {
        return std::nullopt;
    }
    const std::size_t length = kIpv6HeaderLength + load_be<std::uint16_t>(packet.subspan(4));
    if (length > packet.size()) {
        return std::nullopt;
    }
    // what lies behind is padding of the transport, which would spoil the JSON
    const auto payload = packet.first(length).subspan(kHeaderLength);
    return ControlPacket{static_cast<std::uint8_t>(packet[kIpv6HeaderLength]), payload};
}

std::optional<Bytes> make_control_packet(EventType type, ByteSpan payload) {
    if (kHeaderLength + payload.size() > packet::kMaxIpPacket) {
        return std::nullopt;
    }
    Bytes packet(kHeaderLength + payload.size());
    write_headers(packet, type);
    std::ranges::copy(payload, packet.begin() + kHeaderLength);
    return packet;
}

const std::array<std::byte, 48>& goodbye_packet() {
    static const auto kPacket = [] {
        std::array<std::byte, kHeaderLength> packet{};
        write_headers(packet, EventType::kGoodbye);
        return packet;
    }();
    return kPacket;
}

}  // namespace culvert::tunnel::p2p
