#include "culvert/tunnel/gateway/packet_policy.h"

#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/flow_key.h"
#include "culvert/tunnel/gateway/site_dns.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

std::expected<void, Refusal> check_address(const ClientPolicy& policy, const net::IpAddress& address,
                                           const Service& service) {
    if (is_reserved(address)) {
        return std::unexpected{Refusal::kReservedAddress};
    }
    if (is_tunnel_address(address) && !is_proxy_address(address)) {
        return std::unexpected{Refusal::kPeerAddress};
    }
    if (const auto resource = policy.classify(address, service); !resource) {
        return std::unexpected{resource.error()};
    }
    // even a CIDR resource around the proxy range does not make proxy IPs real
    if (is_proxy_address(address)) {
        return std::unexpected{Refusal::kNoTranslation};
    }
    return {};
}

/// Of the kinds that routers send, about a packet of the one that it is sent to.
bool is_error(const packet::IpPacket& packet) {
    const auto about = quoted_flow(packet);
    return about && about->client == packet.destination();
}

/// Whether it asks for no answer, or for one that can be told apart from those to others.
bool is_answerable(const packet::IpPacket& packet) {
    return outbound_flow(packet) || is_error(packet);
}

}  // namespace

std::expected<void, Refusal> check_outbound(const ClientPolicy& policy, const packet::IpPacket& packet) {
    const auto verdict = check_address(policy, packet.destination(), requested_service(packet));
    if (verdict && !is_answerable(packet)) {
        return std::unexpected{Refusal::kNoL4Value};
    }
    return verdict;
}

std::expected<net::IpAddress, Refusal> check_to_name(const ClientPolicy& policy, const nat::Translations& translations,
                                                     const packet::IpPacket& packet) {
    const auto* target = translations.find(packet.destination());
    if (target == nullptr) {
        return std::unexpected{check_address(policy, packet.destination(), requested_service(packet)).error()};
    }
    if (const auto permitted = policy.check(target->resource, requested_service(packet)); !permitted) {
        return std::unexpected{permitted.error()};
    }
    if (!target->real) {
        return std::unexpected{Refusal::kNoTranslation};
    }
    // what has no L4 identity could not be translated back
    if (!is_answerable(packet) || (!packet.source_value() && !is_error(packet))) {
        return std::unexpected{Refusal::kNoL4Value};
    }
    return *target->real;
}

std::expected<void, Refusal> check_from_name(const ClientPolicy& policy, const nat::Translations& translations,
                                             const packet::IpPacket& packet) {
    const auto* target = translations.find(packet.source());
    if (target == nullptr) {
        return std::unexpected{Refusal::kNoTranslation};
    }
    return policy.check(target->resource, answering_service(packet));
}

bool may_send_errors(const net::IpAddress& address) {
    return !is_tunnel_address(address) && !is_reserved(address);
}

std::expected<void, Refusal> check_inbound(const ClientPolicy& policy, const packet::IpPacket& packet) {
    const auto source = packet.source();
    const bool is_an_error = !packet.source_value() && is_error(packet);
    if (is_an_error && may_send_errors(source)) {
        return {};  // path MTU discovery and port-unreachable work whatever the filters say
    }
    if (packet.is_icmp() && !packet.is_icmp_echo() && !is_an_error && !inbound_flow(packet)) {
        return std::unexpected{Refusal::kNoL4Value};
    }
    return check_address(policy, source, answering_service(packet));
}

std::expected<void, Refusal> check_to_gateway(const ClientPolicy& policy, const packet::IpPacket& packet) {
    if (is_echo_request(packet)) {
        return {};
    }
    if (SiteDns::is_query(packet) && policy.has_names()) {
        return {};
    }
    return std::unexpected{Refusal::kGatewayItself};
}

std::expected<void, Refusal> check_from_gateway(const packet::IpPacket& packet) {
    const bool is_echo_reply = packet.is_icmp_echo() && !is_echo_request(packet);
    if (is_echo_reply || is_error(packet)) {
        return {};
    }
    return std::unexpected{Refusal::kGatewayItself};
}

std::optional<packet::IcmpErrorKind> icmp_error_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::kNoTranslation:
        case Refusal::kPrivateAddress:
        case Refusal::kPortTaken:
            return packet::IcmpErrorKind::kUnreachable;
        case Refusal::kNoSession:
            return std::nullopt;  // is no request: a RST, for example
        case Refusal::kTooManyFlows:
            return std::nullopt;  // what is merely lost is sent again, later
        case Refusal::kNoFilter:
        case Refusal::kTcpPort:
        case Refusal::kUdpPort:
        case Refusal::kIcmp:
        case Refusal::kSpoofedSource:
        case Refusal::kPeerAddress:
        case Refusal::kReservedAddress:
        case Refusal::kGatewayItself:
        case Refusal::kUnasked:
        case Refusal::kNoL4Value:
            break;
    }
    return packet::IcmpErrorKind::kProhibited;
}

}  // namespace culvert::tunnel
