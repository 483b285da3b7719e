#pragma once

#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/filter_set.h"

namespace culvert::tunnel {

/// What a packet from a client asks for: protocol and destination port.
[[nodiscard]] Service requested_service(const packet::IpPacket& packet);
/// What a packet from a resource answers for: protocol and source port.
[[nodiscard]] Service answering_service(const packet::IpPacket& packet);

}  // namespace culvert::tunnel
