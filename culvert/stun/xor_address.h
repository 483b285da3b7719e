#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/constants.h"

namespace culvert::stun {

/// How STUN and TURN number address families: 1 = IPv4, 2 = IPv6.
[[nodiscard]] constexpr std::uint8_t family_byte(net::Family family) {
    return family == net::Family::kIpv4 ? 1 : 2;
}
[[nodiscard]] constexpr std::optional<net::Family> family_from_byte(std::uint8_t byte) {
    switch (byte) {
        case 1:
            return net::Family::kIpv4;
        case 2:
            return net::Family::kIpv6;
        default:
            return std::nullopt;
    }
}

/// Size of the value of an XOR-...-ADDRESS attribute.
[[nodiscard]] constexpr std::size_t xor_address_size(net::Family family) {
    return family == net::Family::kIpv4 ? 8 : 20;
}

/// Writes the value of an XOR-...-ADDRESS attribute. Requires out.size() == xor_address_size(address.family()).
void encode_xor_address(MutableByteSpan out, const net::SocketAddress& address, const TransactionId& id);

/// Reads it back. nullopt if family and size do not fit together.
[[nodiscard]] std::optional<net::SocketAddress> decode_xor_address(ByteSpan value, const TransactionId& id);

}  // namespace culvert::stun
