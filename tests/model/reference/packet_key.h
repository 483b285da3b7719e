#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "tests/model/reference/inner_packet.h"

namespace culvert::model {

/// What a packet of an application is recognised by, on its way there and, mirrored, on its way back.
struct PacketKey {
    net::IpAddress source;
    net::IpAddress destination;
    std::uint8_t protocol = 0;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    /// Marker of a UDP datagram, sequence number of an echo request or a SYN.
    std::uint64_t number = 0;

    friend auto operator<=>(const PacketKey&, const PacketKey&) = default;

    /// Of all packets of one flow.
    [[nodiscard]] PacketKey flow() const {
        auto key = *this;
        key.number = 0;
        return key;
    }
};

/// nullopt for what is no request of a probe.
[[nodiscard]] std::optional<PacketKey> key_of_request(const InnerPacket& packet);
/// Of the request that `packet` answers; nullopt for what answers none.
[[nodiscard]] std::optional<PacketKey> key_of_answered(const InnerPacket& packet);
/// Of the request that an ICMP error quotes; the number of a UDP datagram is 0 if the quote is too short for it.
[[nodiscard]] std::optional<PacketKey> key_of_quoted(const InnerPacket& error);

}  // namespace culvert::model
