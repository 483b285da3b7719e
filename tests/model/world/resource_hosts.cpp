#include "tests/model/world/resource_hosts.h"

#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "tests/model/world/header_fields.h"

namespace culvert::model {
namespace {

/// Of the answer to a SYN, so that a repeated one gets the same answer.
constexpr std::uint32_t kFirstSequence = 7'000'000;

std::optional<Bytes> answer(ByteSpan bytes) {
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet) {
        return std::nullopt;
    }
    const auto source = packet->source();
    const auto destination = packet->destination();
    if (packet->is_icmp_echo()) {
        const bool is_request =
            packet->icmp_type() == packet::kIcmpEchoRequest || packet->icmp_type() == packet::kIcmpv6EchoRequest;
        if (!is_request) {
            return std::nullopt;
        }
        const auto header = packet->l4();
        return packet::make_icmp_echo_reply(destination, source, load_be<std::uint16_t>(header.subspan(4)),
                                            load_be<std::uint16_t>(header.subspan(6)), packet->payload());
    }
    if (packet->is_udp()) {
        return packet::make_udp({destination, packet->destination_port()}, {source, packet->source_port()},
                                packet->payload());
    }
    if (packet->is_tcp() && (packet->tcp_flags() & packet::kTcpSyn) != 0 &&
        (packet->tcp_flags() & packet::kTcpAck) == 0) {
        const packet::TcpFields tcp{.sequence = kFirstSequence,
                                    .acknowledgement = packet->tcp_sequence() + 1,
                                    .flags = packet::kTcpSyn | packet::kTcpAck};
        return packet::make_tcp({destination, packet->destination_port()}, {source, packet->source_port()}, tcp, {});
    }
    return std::nullopt;
}

}  // namespace

std::optional<Bytes> answer_of_resource(ByteSpan bytes) {
    auto packet = answer(bytes);
    if (packet) {
        set_header_fields(*packet, header_fields_of(bytes));
    }
    return packet;
}

}  // namespace culvert::model
