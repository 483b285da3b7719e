#pragma once

#include <cstdint>
#include <optional>

#include "culvert/packet/tun_packet.h"

namespace culvert::packet {

/// The header in front of each packet of a TUN device opened with IFF_VNET_HDR: native byte order, 10 bytes
/// (linux/virtio_net.h, spec/io-and-performance.md section 13.3).
struct VirtioNetHeader {
    std::uint8_t flags = 0;
    std::uint8_t gso_type = 0;
    std::uint16_t header_length = 0;
    std::uint16_t gso_size = 0;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;

    friend bool operator==(const VirtioNetHeader&, const VirtioNetHeader&) = default;
};
static_assert(sizeof(VirtioNetHeader) == 10);

inline constexpr std::uint8_t kVirtioNeedsChecksum = 1;
inline constexpr std::uint8_t kVirtioGsoNone = 0;
inline constexpr std::uint8_t kVirtioGsoTcp4 = 1;
inline constexpr std::uint8_t kVirtioGsoTcp6 = 4;
/// Younger than the headers of Debian 12.
inline constexpr std::uint8_t kVirtioGsoUdpL4 = 5;
/// Flag on top of a TCP type: the first segment carries CWR.
inline constexpr std::uint8_t kVirtioGsoEcn = 0x80;

/// What a header read from the device asks for; nullopt for a GSO type that we never offered to handle.
/// `header_length` is ignored: on forwarded traffic it is the length of the kernel's linear buffer.
[[nodiscard]] std::optional<Offload> to_offload(const VirtioNetHeader& header);

}  // namespace culvert::packet
