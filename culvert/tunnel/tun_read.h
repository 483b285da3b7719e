#pragma once

#include <optional>

#include "culvert/packet/ip_packet.h"
#include "culvert/packet/tun_packet.h"

namespace culvert::tunnel {

/// What was read from the TUN device, parsed; nullopt, with a line in the log, if nobody may send such a packet:
/// malformed, a fragment, or a control packet of our own protocol (spec/tunnel.md sections 2.1 and 3.6 step 1).
[[nodiscard]] std::optional<packet::IpPacket> parse_tun_packet(const packet::TunPacket& packet);

}  // namespace culvert::tunnel
