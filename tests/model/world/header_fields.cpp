#include "tests/model/world/header_fields.h"

#include "culvert/packet/checksum.h"
#include "culvert/packet/constants.h"

namespace culvert::model {
namespace {

constexpr std::size_t kV4Checksum = 10;
constexpr std::size_t kV4Protocol = 9;
constexpr std::size_t kUdpChecksum = packet::kIpv4HeaderLength + 6;

bool is_v4(ByteSpan packet) {
    return std::to_integer<unsigned>(packet[0]) >> 4U == 4;
}

}  // namespace

HeaderFields header_fields_of(ByteSpan packet) {
    if (is_v4(packet)) {
        return {std::to_integer<std::uint8_t>(packet[1]), std::to_integer<std::uint8_t>(packet[8])};
    }
    const auto first = load_be<std::uint16_t>(packet);
    return {static_cast<std::uint8_t>(first >> 4U), std::to_integer<std::uint8_t>(packet[7])};
}

void set_header_fields(MutableByteSpan packet, const HeaderFields& fields) {
    if (!is_v4(packet)) {
        const auto first = static_cast<std::uint32_t>(load_be<std::uint16_t>(packet)) & 0xf00fU;
        store_be(packet, static_cast<std::uint16_t>(first | static_cast<std::uint32_t>(fields.traffic_class) << 4U));
        packet[7] = std::byte{fields.ttl};
        return;
    }
    packet[1] = std::byte{fields.traffic_class};
    packet[8] = std::byte{fields.ttl};
    if (fields.without_checksum && packet[kV4Protocol] == std::byte{packet::kProtocolUdp}) {
        store_be(packet.subspan(kUdpChecksum), std::uint16_t{0});
    }
    store_be(packet.subspan(kV4Checksum), std::uint16_t{0});
    store_be(packet.subspan(kV4Checksum), packet::internet_checksum(packet.first(packet::kIpv4HeaderLength)));
}

}  // namespace culvert::model
