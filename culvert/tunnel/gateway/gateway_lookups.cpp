// Names at a gateway: what clients have it resolve, and their queries to nameservers of its host.

#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/observability/log.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

// --- Addresses of names ---

void GatewayTunnel::handle_assigned_ips(const ClientId& client, const ClientPolicy& policy, ByteSpan payload,
                                        Instant now) {
    auto message = p2p::decode_assigned_ips(payload);
    if (!message) {
        kLog.debug("Ignoring malformed control event", log::field("cid", client));
        return;
    }
    if (const auto status = names_.handle_request(client, policy, std::move(*message), now)) {
        send_status(client, *status, now);
    }
    finish_name_requests(now);
}

void GatewayTunnel::handle_name_found(const NameFound& found, Instant now) {
    if (const auto number = ids_.number_of(found.id.number)) {
        names_.handle_addresses({*number}, found.addresses, found.lifetime, now);
        finish_name_requests(now);
    }
}

void GatewayTunnel::handle_name_failure(const NameLookUpFailed& failed, Instant now) {
    if (const auto number = ids_.number_of(failed.id.number)) {
        names_.handle_failure({*number});
        finish_name_requests(now);
    }
}

void GatewayTunnel::finish_name_requests(Instant now) {
    while (const auto resolved = names_.poll_resolved()) {
        const auto& client = resolved->request.client;
        if (const auto* peer = clients_.find(client)) {
            send_status(client, names_.finish_request(*resolved, peer->policy, flows_, now), now);
        }
    }
}

void GatewayTunnel::send_status(const ClientId& client, const p2p::DomainStatus& status, Instant now) {
    const auto text = p2p::encode(status);
    if (const auto packet = p2p::make_control_packet(p2p::EventType::kDomainStatus, as_bytes(text))) {
        core_.send(client.uuid(), *packet, now);
    }
}

// --- Queries ---

void GatewayTunnel::set_nameservers(const SetSystemResolvers& resolvers, Instant now) {
    site_dns_.set_nameservers(resolvers.servers, now);
    send_dns_answers(now);
}

void GatewayTunnel::handle_dns_response(const DnsResponse& response, Instant now) {
    if (const auto number = ids_.number_of(response.id.number)) {
        site_dns_.handle_response({*number}, response.message, now);
        send_dns_answers(now);
    }
}

void GatewayTunnel::handle_dns_failure(const DnsFailure& failure, Instant now) {
    if (const auto number = ids_.number_of(failure.id.number)) {
        site_dns_.handle_failure({*number}, now);
        send_dns_answers(now);
    }
}

void GatewayTunnel::send_dns_answers(Instant now) {
    while (auto answer = site_dns_.poll_transmit()) {
        const auto packet = packet::IpPacket::parse(*answer);
        const auto client = clients_.find_by_address(packet.value().destination());
        if (!client || !clients_.policy_of(*client).has_names()) {
            continue;  // may not ask any more
        }
        core_.send(client->uuid(), *answer, now);
    }
}

}  // namespace culvert::tunnel
