#pragma once

#include "culvert/net/ecn.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::packet {

/// ECN bits of a decapsulated packet from its own and those of the datagram that carried it: congestion met on the way
/// is told to receivers that understand it, nothing else changes (spec/tunnel.md section 2.6, RFC 6040).
[[nodiscard]] constexpr net::Ecn merge_ecn(net::Ecn inner, net::Ecn outer) {
    const bool is_capable = inner == net::Ecn::kEct0 || inner == net::Ecn::kEct1;
    return is_capable && outer == net::Ecn::kCe ? net::Ecn::kCe : inner;
}

/// Applies merge_ecn() to a packet.
inline void apply_outer_ecn(IpPacket& inner, net::Ecn outer) {
    if (outer == net::Ecn::kCe) {
        inner.set_ecn(merge_ecn(inner.ecn(), outer));
    }
}

}  // namespace culvert::packet
