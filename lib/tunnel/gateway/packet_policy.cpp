#include "culvert/tunnel/gateway/packet_policy.h"

#include "culvert/base/sabotage.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

std::expected<void, Refusal> check_address(const ClientPolicy& policy, const net::IpAddress& address,
                                           const Service& service) {
    if (is_peer_address(address) && !CULVERT_SABOTAGE(kPeersAreResources)) {
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

}  // namespace

std::expected<void, Refusal> check_outbound(const ClientPolicy& policy, const packet::IpPacket& packet) {
    return check_address(policy, packet.destination(), requested_service(packet));
}

std::expected<void, Refusal> check_inbound(const ClientPolicy& policy, const packet::IpPacket& packet) {
    const auto icmp_error = packet::inspect_icmp_error(packet);
    const bool is_icmp_error = icmp_error && *icmp_error;
    if (!is_icmp_error && !packet.source_value()) {
        return std::unexpected{Refusal::kNoL4Value};
    }
    const auto source = packet.source();
    if (is_icmp_error && !is_peer_address(source) && !is_proxy_address(source)) {
        return {};  // path MTU discovery and port-unreachable work whatever the filters say
    }
    return check_address(policy, source, answering_service(packet));
}

packet::IcmpErrorKind icmp_error_of(Refusal refusal) {
    return refusal == Refusal::kNoTranslation ? packet::IcmpErrorKind::kUnreachable
                                              : packet::IcmpErrorKind::kProhibited;
}

}  // namespace culvert::tunnel
