#include "culvert/tunnel/flow_key.h"

#include "culvert/packet/icmp_error.h"

namespace culvert::tunnel {
namespace {

bool is_icmp(std::uint8_t protocol) {
    return protocol == packet::kProtocolIcmp || protocol == packet::kProtocolIcmpv6;
}

std::uint8_t protocol_of(const packet::EmbeddedPacket& embedded) {
    switch (embedded.source_value.protocol) {
        case packet::L4Protocol::kTcp:
            return packet::kProtocolTcp;
        case packet::L4Protocol::kUdp:
            return packet::kProtocolUdp;
        case packet::L4Protocol::kIcmp:
            break;
    }
    return embedded.source.is_v4() ? packet::kProtocolIcmp : packet::kProtocolIcmpv6;
}

}  // namespace

bool is_echo_request(const packet::IpPacket& packet) {
    return packet.is_icmp_echo() &&
           packet.icmp_type() == (packet.is_v4() ? packet::kIcmpEchoRequest : packet::kIcmpv6EchoRequest);
}

std::optional<FlowKey> outbound_flow(const packet::IpPacket& packet) {
    FlowKey key{.client = packet.source(), .remote = packet.destination(), .protocol = packet.protocol()};
    if (packet.is_tcp() || packet.is_udp()) {
        key.client_value = packet.source_port();
        key.remote_value = packet.destination_port();
    } else if (packet.is_icmp()) {
        if (!is_echo_request(packet)) {
            return std::nullopt;
        }
        key.client_value = key.remote_value = packet.source_value()->value;
    }
    return key;
}

std::optional<FlowKey> inbound_flow(const packet::IpPacket& packet) {
    FlowKey key{.client = packet.destination(), .remote = packet.source(), .protocol = packet.protocol()};
    if (packet.is_tcp() || packet.is_udp()) {
        key.client_value = packet.destination_port();
        key.remote_value = packet.source_port();
    } else if (packet.is_icmp()) {
        if (!packet.is_icmp_echo() || is_echo_request(packet)) {
            return std::nullopt;
        }
        key.client_value = key.remote_value = packet.source_value()->value;
    }
    return key;
}

std::optional<FlowKey> quoted_flow(const packet::IpPacket& error) {
    const auto inspected = packet::inspect_icmp_error(error);
    if (inspected) {
        if (!*inspected) {
            return std::nullopt;
        }
        const auto& embedded = (*inspected)->embedded;
        return FlowKey{.client = embedded.source,
                       .remote = embedded.destination,
                       .client_value = embedded.source_value.value,
                       .remote_value = embedded.destination_value.value,
                       .protocol = protocol_of(embedded)};
    }
    if (inspected.error() != packet::IcmpInspectError::kUnsupportedEmbeddedPacket) {
        return std::nullopt;
    }
    const auto header = packet::embedded_header(error);
    if (!header || is_icmp(header->protocol)) {
        return std::nullopt;  // no error is ever sent about an ICMP message but an echo request of ours
    }
    return FlowKey{.client = header->source, .remote = header->destination, .protocol = header->protocol};
}

}  // namespace culvert::tunnel
