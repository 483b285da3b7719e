#pragma once

#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::tunnel {

/// Whether a packet of an initiator begins a flow of which an account is kept: UDP, and TCP without RST or FIN.
[[nodiscard]] bool may_begin_account(const packet::IpPacket& packet);

/// What went through a TCP connection, or an exchange of UDP packets, and whether it is over. Its initiator sends, the
/// other side is received from.
struct FlowAccount {
    enum class Outcome : std::uint8_t {
        kGoesOn,
        kReset,  ///< By one side: over.
        kClosed  ///< By both, with this packet: what is under way may still come.
    };

    [[nodiscard]] static FlowAccount begin(const packet::IpPacket& packet, std::size_t packets, Instant now);
    /// Whether a packet of the initiator opens another connection with the same ports, and is not a SYN sent again.
    [[nodiscard]] bool is_followed_by(const packet::IpPacket& packet) const;
    /// So many packets, of which this is the first, or all in one.
    [[nodiscard]] Outcome note_sent(const packet::IpPacket& packet, std::size_t packets, Instant now);
    [[nodiscard]] Outcome note_received(const packet::IpPacket& packet, std::size_t packets, Instant now);

    bool is_tcp = false;
    Instant started_at;
    Instant last_packet;
    std::uint64_t sent_packets = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_packets = 0;
    std::uint64_t received_bytes = 0;

private:
    [[nodiscard]] Outcome note_flags(const packet::IpPacket& packet, bool& fin) const;

    bool has_more_than_syn_ = false;
    bool sent_fin_ = false;
    bool received_fin_ = false;
};

}  // namespace culvert::tunnel
