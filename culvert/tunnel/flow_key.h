#pragma once

#include <cstdint>
#include <optional>

#include "culvert/net/ip_address.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::tunnel {

/// Which flow a packet belongs to. The same in both directions: a flow is what a client opens towards something remote.
struct FlowKey {
    net::IpAddress client;
    net::IpAddress remote;
    /// Ports of TCP and UDP; twice the identifier of an ICMP query; zero for other protocols, whose flows are known by
    /// their addresses alone.
    std::uint16_t client_value = 0;
    std::uint16_t remote_value = 0;
    std::uint8_t protocol = 0;
    /// The type of an ICMP query that is no echo.
    std::uint8_t icmp_query = 0;

    friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

[[nodiscard]] bool is_echo_request(const packet::IpPacket& packet);

/// The flow of a packet that a client sends. nullopt: it asks for no answer (ICMP other than the queries that have an
/// identifier: echo, and of IPv4 timestamp and address mask).
[[nodiscard]] std::optional<FlowKey> outbound_flow(const packet::IpPacket& packet);

/// The flow that a packet for a client can only be part of. nullopt: it answers nothing, whatever was asked (ICMP other
/// than the answers to such queries).
[[nodiscard]] std::optional<FlowKey> inbound_flow(const packet::IpPacket& packet);

/// The flow that an ICMP error is about which a packet of a client met with. nullopt: it is none of the errors that
/// routers and hosts send (spec/tunnel.md section 2.4), or does not say what it is about.
[[nodiscard]] std::optional<FlowKey> quoted_flow(const packet::IpPacket& error);

}  // namespace culvert::tunnel
