#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/base/uuid.h"
#include "culvert/nat/session_table.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::nat::test {

inline net::SocketAddress socket(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}
inline net::IpAddress address(std::string_view text) {
    return net::IpAddress::parse(text).value();
}
inline ClientId client_id(std::uint8_t number) {
    return ClientId{Uuid{std::array<std::uint8_t, 16>{number}}};
}
inline ResourceId resource_id(std::uint8_t number) {
    return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}};
}

/// A packet and the bytes it is made of.
struct Packet {
    explicit Packet(Bytes packet_bytes)
        : bytes{std::move(packet_bytes)}, view{packet::IpPacket::parse(bytes).value()} {}

    Bytes bytes;
    packet::IpPacket view;
};

inline Packet udp(std::string_view from, std::string_view to) {
    return Packet{packet::make_udp(socket(from), socket(to), as_bytes("datagram"))};
}
inline Packet tcp(std::string_view from, std::string_view to, std::uint8_t flags) {
    return Packet{packet::make_tcp(socket(from), socket(to), {.flags = flags}, {})};
}

/// As the gateway does: with a session if there is one, or a new one to `real`.
inline bool send(SessionTable& table, std::uint8_t client, Packet& packet, std::string_view real, Instant now) {
    const auto result = table.translate_out(client_id(client), packet.view, now);
    return result == SessionTable::Out::kTranslated ||
           (result == SessionTable::Out::kNoSession && table.open(client_id(client), packet.view, address(real), now));
}

}  // namespace culvert::nat::test
