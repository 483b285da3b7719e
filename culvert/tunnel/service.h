#pragma once

#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/filter_set.h"
#include "culvert/tunnel/flow_key.h"

namespace culvert::tunnel {

/// What a packet from a client asks for: protocol and destination port.
[[nodiscard]] Service requested_service(const packet::IpPacket& packet);
/// What a packet from a resource answers for: protocol and source port.
[[nodiscard]] Service answering_service(const packet::IpPacket& packet);
/// What a packet asked for that an ICMP error quotes.
[[nodiscard]] Service service_of(const packet::EmbeddedPacket& quoted);
/// What a flow was opened for.
[[nodiscard]] Service service_of(const FlowKey& flow);

}  // namespace culvert::tunnel
