#include "culvert/tunnel/tun_read.h"

#include "culvert/observability/log.h"
#include "culvert/tunnel/p2p/control_packet.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

std::optional<packet::IpPacket> parse_tun_packet(const packet::TunPacket& packet) {
    const bool is_super_packet = packet.offload.kind != packet::Offload::Kind::kNone;
    auto parsed =
        packet::IpPacket::parse(packet.bytes, is_super_packet ? packet::kMaxSuperPacket : packet::kMaxIpPacket);
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
