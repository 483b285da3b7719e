#pragma once

#include <expected>
#include <optional>

#include "culvert/nat/translations.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/gateway/client_policy.h"
#include "culvert/tunnel/refusal.h"

/// Which packets a gateway lets through between one client and its resources, and between clients and itself. Source:
/// spec/tunnel.md sections 6.3, 6.4 and 6.7; stricter where a gateway's own addresses are concerned.
namespace culvert::tunnel {

/// For a packet from the client whose source was checked already. Of ICMP, errors and the queries pass whose answers
/// can be told apart: what else asks for an answer gets none back, and would cost an entry of the kernel's table each.
[[nodiscard]] std::expected<void, Refusal> check_outbound(const ClientPolicy& policy, const packet::IpPacket& packet);

/// For a packet from the client to a proxy IP: where the name is. What counts is the resource of the name, not the
/// address. Of ICMP, echo requests and errors pass, and of other protocols TCP and UDP: what else there is could not be
/// translated back.
[[nodiscard]] std::expected<net::IpAddress, Refusal> check_to_name(const ClientPolicy& policy,
                                                                   const nat::Translations& translations,
                                                                   const packet::IpPacket& packet);

/// For a packet to the client that comes from a proxy IP after translation, and is no ICMP error: those about what the
/// client sent pass whatever the filters say.
[[nodiscard]] std::expected<void, Refusal> check_from_name(const ClientPolicy& policy,
                                                           const nat::Translations& translations,
                                                           const packet::IpPacket& packet);

/// Whether a host or a router may have sent an ICMP error from there.
[[nodiscard]] bool may_send_errors(const net::IpAddress& address);

/// For a packet to the client.
[[nodiscard]] std::expected<void, Refusal> check_inbound(const ClientPolicy& policy, const packet::IpPacket& packet);

/// For a packet from a client to one of the gateway's own TUN addresses: what the machine of a gateway offers to
/// clients is in this function, and nowhere else.
/// Who may use names may ask about them (spec/dns.md section 10.4).
[[nodiscard]] std::expected<void, Refusal> check_to_gateway(const ClientPolicy& policy, const packet::IpPacket& packet);

/// For a packet from one of the gateway's own TUN addresses to a client: what check_to_gateway() lets a client ask for,
/// and the errors of the machine's kernel about what it forwards.
[[nodiscard]] std::expected<void, Refusal> check_from_gateway(const packet::IpPacket& packet);

/// How a client is told that its packet was refused. nullopt: not at all.
[[nodiscard]] std::optional<packet::IcmpErrorKind> icmp_error_of(Refusal refusal);

}  // namespace culvert::tunnel
