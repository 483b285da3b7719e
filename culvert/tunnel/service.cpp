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

Service service_of(const packet::EmbeddedPacket& quoted) {
    const auto [protocol, value] = quoted.destination_value;
    switch (protocol) {
        case packet::L4Protocol::kTcp:
            return {Service::Protocol::kTcp, value};
        case packet::L4Protocol::kUdp:
            return {Service::Protocol::kUdp, value};
        case packet::L4Protocol::kIcmp:
            break;
    }
    return {Service::Protocol::kIcmp, 0};
}

Service service_of(const FlowKey& flow) {
    switch (flow.protocol) {
        case packet::kProtocolTcp:
            return {Service::Protocol::kTcp, flow.remote_value};
        case packet::kProtocolUdp:
            return {Service::Protocol::kUdp, flow.remote_value};
        case packet::kProtocolIcmp:
        case packet::kProtocolIcmpv6:
            return {Service::Protocol::kIcmp, 0};
        default:
            return {};
    }
}

}  // namespace culvert::tunnel
