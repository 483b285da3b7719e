#pragma once

#include <compare>
#include <cstdint>

namespace culvert::packet {

/// The protocols that have an L4 identity. ICMP stands for ICMPv4 and ICMPv6: a value is always used together with an
/// address, which tells them apart.
enum class L4Protocol : std::uint8_t { kTcp, kUdp, kIcmp };

/// What NAT and filters know a packet's end by: a TCP or UDP port, or the identifier of an ICMP echo
/// (spec/tunnel.md section 2.2).
struct L4Value {
    L4Protocol protocol = L4Protocol::kTcp;
    std::uint16_t value = 0;

    friend constexpr auto operator<=>(const L4Value&, const L4Value&) = default;
};

/// Why a packet has no L4 identity.
enum class NoL4Value : std::uint8_t { kUnsupportedIcmpType, kUnsupportedProtocol };

}  // namespace culvert::packet
