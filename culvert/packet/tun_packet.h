#pragma once

#include <cstdint>

#include "culvert/base/bytes.h"

namespace culvert::packet {

/// What the kernel left for us to do to a packet that was read from the TUN device.
struct Offload {
    enum class Kind : std::uint8_t { kNone, kTcp4, kTcp6, kUdp };

    /// Other than kNone: the packet is a super-packet, to be cut into packets of `segment_size` payload bytes.
    Kind kind = Kind::kNone;
    std::uint16_t segment_size = 0;
    /// The L4 checksum is missing; its field holds the sum of the pseudo-header. Only looked at for kNone.
    bool needs_checksum = false;
    /// First byte covered by the checksum, and where the field is from there.
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;

    friend bool operator==(const Offload&, const Offload&) = default;
};

/// One read from the TUN device, without its virtio-net header.
struct TunPacket {
    /// An IP packet, or a super-packet; in a buffer with at least 64 bytes of headroom in front.
    MutableByteSpan bytes;
    Offload offload;
};

}  // namespace culvert::packet
