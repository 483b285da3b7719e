#pragma once

#include <expected>

#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/gateway/client_policy.h"
#include "culvert/tunnel/refusal.h"

/// Which packets a gateway lets through between one client and its resources, and between clients and itself. Source:
/// spec/tunnel.md sections 6.3, 6.4 and 6.7; stricter where a gateway's own addresses are concerned.
namespace culvert::tunnel {

/// For a packet from the client whose source was checked already. Of ICMP, echo requests and errors pass: what else
/// asks for an answer gets none back, and would cost an entry of the kernel's table each.
[[nodiscard]] std::expected<void, Refusal> check_outbound(const ClientPolicy& policy, const packet::IpPacket& packet);

/// For a packet to the client.
[[nodiscard]] std::expected<void, Refusal> check_inbound(const ClientPolicy& policy, const packet::IpPacket& packet);

/// For a packet from a client to one of the gateway's own TUN addresses: what the machine of a gateway offers to
/// clients is in this function, and nowhere else.
[[nodiscard]] std::expected<void, Refusal> check_to_gateway(const packet::IpPacket& packet);

/// For a packet from one of the gateway's own TUN addresses to a client: what check_to_gateway() lets a client ask for,
/// and the errors of the machine's kernel about what it forwards.
[[nodiscard]] std::expected<void, Refusal> check_from_gateway(const packet::IpPacket& packet);

/// How a client is told that its packet was refused.
[[nodiscard]] packet::IcmpErrorKind icmp_error_of(Refusal refusal);

}  // namespace culvert::tunnel
