#include "culvert/tunnel/tun_read.h"

#include "culvert/observability/log.h"
#include "culvert/tunnel/p2p/control_packet.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

std::expected<packet::IpPacket, packet::ParseError> parse(MutableByteSpan bytes, bool is_super_packet) {
    return packet::IpPacket::parse(bytes, is_super_packet ? packet::kMaxSuperPacket : packet::kMaxIpPacket);
}

/// The host answers for what it sends to one destination: whoever floods one client with fragments does not take the
/// room of another.
std::optional<MutableByteSpan> reassemble(const packet::TunPacket& packet, packet::Reassembler& reassembler,
                                          Instant now) {
    const auto fragment = packet::read_fragment(packet.bytes);
    const bool is_untouched = packet.offload == packet::Offload{};
    return fragment && is_untouched ? reassembler.add(fragment->destination, packet.bytes, now) : std::nullopt;
}

}  // namespace

std::optional<packet::IpPacket> parse_tun_packet(const packet::TunPacket& packet, packet::Reassembler& reassembler,
                                                 Instant now) {
    auto parsed = parse(packet.bytes, packet.offload.kind != packet::Offload::Kind::kNone);
    if (!parsed && parsed.error() == packet::ParseError::kFragment) [[unlikely]] {
        const auto whole = reassemble(packet, reassembler, now);
        if (!whole) {
            return std::nullopt;  // others are missing
        }
        parsed = parse(*whole, true);
    }
    if (!parsed) {
        // any program of this host, or any host behind the gateway, can cause as many of these as it likes
        kLog.debug("Dropped packet from TUN", log::field("reason", packet::to_string(parsed.error())));
        return std::nullopt;
    }
    if (p2p::is_control_packet(parsed->bytes())) {
        kLog.debug("Dropped packet from TUN that looks like a control packet");
        return std::nullopt;
    }
    return *parsed;
}

}  // namespace culvert::tunnel
