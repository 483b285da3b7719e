#include "culvert/tunnel/flow_key.h"

#include <algorithm>
#include <array>
#include <span>

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

/// A question by ICMP whose answer carries its identifier.
struct IcmpQuery {
    std::uint8_t request;
    std::uint8_t reply;
};
constexpr std::array<IcmpQuery, 3> kQueries = {{{packet::kIcmpEchoRequest, packet::kIcmpEchoReply},
                                                {13, 14},    // timestamp, RFC 792
                                                {17, 18}}};  // address mask, RFC 950
constexpr std::array<IcmpQuery, 1> kQueries6 = {{{packet::kIcmpv6EchoRequest, packet::kIcmpv6EchoReply}}};

/// Of whose two messages `packet` is the one that `message` says; null: of none.
const IcmpQuery* find_query(const packet::IpPacket& packet, std::uint8_t IcmpQuery::* message) {
    const auto queries = packet.is_v4() ? std::span<const IcmpQuery>{kQueries} : std::span<const IcmpQuery>{kQueries6};
    const auto query = std::ranges::find(queries, packet.icmp_type(), message);
    return query == queries.end() || packet.icmp_code() != 0 ? nullptr : &*query;
}

FlowKey of_query(FlowKey key, const IcmpQuery& query, const packet::IpPacket& packet) {
    key.client_value = key.remote_value = load_be<std::uint16_t>(packet.l4().subspan(4));
    key.icmp_query = packet.is_icmp_echo() ? std::uint8_t{0} : query.request;
    return key;
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
        const auto* query = find_query(packet, &IcmpQuery::request);
        return query == nullptr ? std::nullopt : std::optional{of_query(key, *query, packet)};
    }
    return key;
}

std::optional<FlowKey> inbound_flow(const packet::IpPacket& packet) {
    FlowKey key{.client = packet.destination(), .remote = packet.source(), .protocol = packet.protocol()};
    if (packet.is_tcp() || packet.is_udp()) {
        key.client_value = packet.destination_port();
        key.remote_value = packet.source_port();
    } else if (packet.is_icmp()) {
        const auto* query = find_query(packet, &IcmpQuery::reply);
        return query == nullptr ? std::nullopt : std::optional{of_query(key, *query, packet)};
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
