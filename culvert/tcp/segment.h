#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tcp/sequence.h"

namespace culvert::tcp {

/// The two ends of a connection, from our side.
struct Route {
    net::SocketAddress local;
    net::SocketAddress remote;

    friend constexpr auto operator<=>(const Route&, const Route&) = default;
};

/// What TCP sees of a packet.
struct Segment {
    Sequence sequence;
    Sequence acknowledgement;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;
    /// Of a SYN, if it says.
    std::optional<std::uint16_t> max_segment_size;
    ByteSpan payload;

    [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
    /// In sequence numbers: SYN and FIN count as one byte each.
    [[nodiscard]] std::size_t length() const {
        return payload.size() + (has(packet::kTcpSyn) ? 1 : 0) + (has(packet::kTcpFin) ? 1 : 0);
    }
};

/// Requires packet.is_tcp(). The payload refers to the bytes of the packet. Options behind one that is malformed are
/// ignored.
[[nodiscard]] Segment read_segment(const packet::IpPacket& packet);
/// From the receiver's side.
[[nodiscard]] Route route_of(const packet::IpPacket& packet);

/// A complete packet from route.local to route.remote.
[[nodiscard]] Bytes make_packet(const Route& route, const Segment& segment);

/// What answers a segment that belongs to no connection (RFC 9293 section 3.10.7.1). nullopt: nothing answers a RST.
[[nodiscard]] std::optional<Segment> refusal_of(const Segment& segment);

}  // namespace culvert::tcp
