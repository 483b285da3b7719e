#include "culvert/packet/virtio_net.h"

namespace culvert::packet {

std::optional<Offload> to_offload(const VirtioNetHeader& header) {
    Offload offload;
    switch (header.gso_type & static_cast<std::uint8_t>(~kVirtioGsoEcn)) {
        case kVirtioGsoNone:
            break;
        case kVirtioGsoTcp4:
            offload.kind = Offload::Kind::kTcp4;
            break;
        case kVirtioGsoTcp6:
            offload.kind = Offload::Kind::kTcp6;
            break;
        case kVirtioGsoUdpL4:
            offload.kind = Offload::Kind::kUdp;
            break;
        default:
            return std::nullopt;
    }
    if (offload.kind != Offload::Kind::kNone) {
        offload.segment_size = header.gso_size;
    }
    offload.needs_checksum = (header.flags & kVirtioNeedsChecksum) != 0;
    if (offload.needs_checksum) {
        offload.checksum_start = header.checksum_start;
        offload.checksum_offset = header.checksum_offset;
    }
    return offload;
}

}  // namespace culvert::packet
