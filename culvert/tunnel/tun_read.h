#pragma once

#include <optional>

#include "culvert/base/time.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/reassembler.h"
#include "culvert/packet/tun_packet.h"

namespace culvert::tunnel {

/// What was read from the TUN device, parsed; nullopt, with a line in the log, if nobody may send such a packet:
/// malformed, or a control packet of our own protocol (spec/tunnel.md sections 2.1 and 3.6 step 1). Of a packet in
/// fragments the last one to come gives the whole, which is larger than others may be and leaves in fragments again
/// (packet/segmenter.h); it is valid until the next call.
[[nodiscard]] std::optional<packet::IpPacket> parse_tun_packet(const packet::TunPacket& packet,
                                                               packet::Reassembler& reassembler, Instant now);

}  // namespace culvert::tunnel
