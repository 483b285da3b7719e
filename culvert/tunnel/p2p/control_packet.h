#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"

/// Messages between client and gateway inside the tunnel: IPv6 packets from :: to :: that never reach a TUN interface.
/// Delivery is unreliable and unordered. Source: spec/tunnel.md section 5.
namespace culvert::tunnel::p2p {

enum class EventType : std::uint8_t { kAssignedIps = 0, kDomainStatus = 1, kGoodbye = 2 };

struct ControlPacket {
    /// An EventType, or a number that this version does not know.
    std::uint8_t event_type;
    ByteSpan payload;
};

/// Whether an IP packet is a control packet. Cheap for all others.
[[nodiscard]] bool is_control_packet(ByteSpan packet);

/// nullopt unless is_control_packet(packet) and its length fields are sound.
[[nodiscard]] std::optional<ControlPacket> parse_control_packet(ByteSpan packet);

/// nullopt if the packet would be longer than the tunnel's MTU.
[[nodiscard]] std::optional<Bytes> make_control_packet(EventType type, ByteSpan payload);

/// The complete packet that says: this connection ends now.
[[nodiscard]] const std::array<std::byte, 48>& goodbye_packet();

}  // namespace culvert::tunnel::p2p
