#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

Service::Protocol protocol_of(const packet::IpPacket& packet) {
    if (packet.is_tcp()) {
        return Service::Protocol::kTcp;
    }
    if (packet.is_udp()) {
        return Service::Protocol::kUdp;
    }
    return packet.is_icmp() ? Service::Protocol::kIcmp : Service::Protocol::kOther;
}

bool has_ports(const packet::IpPacket& packet) {
    return packet.is_tcp() || packet.is_udp();
}

}  // namespace

Service requested_service(const packet::IpPacket& packet) {
    return {protocol_of(packet), has_ports(packet) ? packet.destination_port() : std::uint16_t{0}};
}

Service answering_service(const packet::IpPacket& packet) {
    return {protocol_of(packet), has_ports(packet) ? packet.source_port() : std::uint16_t{0}};
}

}  // namespace culvert::tunnel
