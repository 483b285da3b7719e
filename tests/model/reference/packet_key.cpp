#include "tests/model/reference/packet_key.h"

#include <utility>

namespace culvert::model {
namespace {

PacketKey addresses_of(const InnerPacket& packet) {
    return {.source = packet.source,
            .destination = packet.destination,
            .protocol = packet.protocol,
            .source_port = packet.source_port,
            .destination_port = packet.destination_port};
}

std::optional<PacketKey> with_number(PacketKey key, std::uint64_t number) {
    key.number = number;
    return key;
}

}  // namespace

std::optional<PacketKey> key_of_request(const InnerPacket& packet) {
    if (packet.is_echo_request() && packet.marker) {
        return with_number(addresses_of(packet), packet.icmp_sequence);
    }
    if (packet.is_udp() && packet.marker) {
        return with_number(addresses_of(packet), *packet.marker);
    }
    return packet.is_syn() ? with_number(addresses_of(packet), packet.tcp_sequence) : std::nullopt;
}

std::optional<PacketKey> key_of_answered(const InnerPacket& packet) {
    auto key = addresses_of(packet);
    std::swap(key.source, key.destination);
    std::swap(key.source_port, key.destination_port);
    if (packet.is_echo_reply() && packet.marker) {
        return with_number(key, packet.icmp_sequence);
    }
    if (packet.is_udp() && packet.marker) {
        return with_number(key, *packet.marker);
    }
    return packet.is_syn_ack() ? with_number(key, packet.tcp_acknowledgement - 1) : std::nullopt;
}

std::optional<PacketKey> key_of_quoted(const InnerPacket& error) {
    const auto quoted = read_quoted(error);
    if (!quoted) {
        return std::nullopt;
    }
    const auto key = addresses_of(*quoted);
    if (quoted->is_udp()) {
        return with_number(key, quoted->marker.value_or(0));
    }
    if (quoted->is_tcp()) {
        return with_number(key, quoted->tcp_sequence);
    }
    return quoted->is_echo_request() ? with_number(key, quoted->icmp_sequence) : std::nullopt;
}

}  // namespace culvert::model
