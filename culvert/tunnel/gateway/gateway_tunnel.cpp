#include "culvert/tunnel/gateway/gateway_tunnel.h"

#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

bool is_expired(const portal_api::AuthorizeFlow& flow, UnixSeconds wall_now) {
    return flow.expires_at && *flow.expires_at <= wall_now;
}

}  // namespace

GatewayTunnel::GatewayTunnel(const connectivity::Seeds& seeds, Instant now, WallTime wall_now, std::uint16_t shard)
    : core_{connectivity::Role::kGateway, seeds, now, wall_now},
      ids_{shard},
      names_{seeds.own.child("names")},
      site_dns_{seeds.own.child("site DNS"), now},
      flows_{{.total = kGatewayFlows,
              .per_peer = kGatewayFlowsPerClient,
              .per_owner = kGatewayFlowsPerActor,
              .interval = kGatewayFlowRate.cost(),
              .burst = kGatewayFlowRate.burst},
             seeds.own.child("flows")},
      flow_log_{now, wall_now, kGatewayFlows},
      records_{kGatewayFlows} {}

// --- Messages of the portal ---

void GatewayTunnel::handle_portal(const portal_api::ToGateway& message, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{[&](const portal_api::AuthorizeFlow& flow) {
                              if (is_expired(flow, wall_now)) {
                                  refuse_expired(flow, now, wall_now);
                              } else {
                                  authorize(flow, now);
                              }
                          },
                          [&](const auto& any) { handle(any, now); }},
               message);
    if (std::holds_alternative<portal_api::GatewayInit>(message)) {
        sweep(now, wall_now);  // the snapshot may have left clients with nothing, or with what has expired meanwhile
    }
    core_.note_input(now);
    drain_connections();
}

void GatewayTunnel::handle(const portal_api::GatewayInit& message, Instant now) {
    core_.update_relays({}, message.relays, now);
    core_.set_tun_config({.ipv4 = message.interface.ipv4,
                          .ipv6 = message.interface.ipv6,
                          .ipv4_routes = {peer_range(net::Family::kIpv4)},
                          .ipv6_routes = {peer_range(net::Family::kIpv6)}});
    site_dns_.set_addresses(message.interface.ipv4, message.interface.ipv6, now);
    reconcile(message.authorizations, now);
    flows_.invalidate();
}

void GatewayTunnel::handle(const portal_api::RelaysPresence& message, Instant now) {
    core_.update_relays(message.disconnected_ids, message.connected, now);
}

void GatewayTunnel::handle(const portal_api::ClientIceCandidates& message, Instant now) {
    core_.add_candidates(message.client_id.uuid(), message.candidates, now);
}

void GatewayTunnel::handle(const portal_api::InvalidateClientIceCandidates& message, Instant now) {
    core_.remove_candidates(message.client_id.uuid(), message.candidates, now);
}

void GatewayTunnel::drain_connections() {
    // Authorizations outlive connections: a client that lost its connection rightly believes it still has them.
    core_.drain_connections(overloaded{
        [](const connectivity::ConnectionEstablished&) {},
        [](const connectivity::ConnectionFailed&) {},
        [](const connectivity::ConnectionClosed&) {},
    });
}

// --- Time, outputs, end ---

void GatewayTunnel::handle_timeout(Instant now, UnixSeconds wall_now) {
    core_.handle_timeout(now);
    drain_connections();
    names_.handle_timeout(now);
    finish_name_requests(now);
    site_dns_.handle_timeout(now);
    send_dns_answers(now);
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kExpirySweep:
                sweep(now, wall_now);
                drain_connections();
                break;
        }
    });
}

std::optional<Instant> GatewayTunnel::poll_timeout() {
    return earliest(core_.poll_timeout(), due_.next(), names_.poll_timeout(), site_dns_.poll_timeout());
}

std::optional<GatewayEvent> GatewayTunnel::poll_event() {
    if (auto event = core_.poll_event()) {
        return std::visit([](auto& any) -> GatewayEvent { return std::move(any); }, *event);
    }
    if (auto look_up = names_.poll_lookup()) {
        return LookUpName{{ids_.id_of(look_up->id.number)}, std::move(look_up->domain)};
    }
    if (auto event = site_dns_.poll_event()) {
        return std::visit(
            [&](auto& any) -> GatewayEvent {
                any.id.number = ids_.id_of(any.id.number);
                return std::move(any);
            },
            *event);
    }
    if (auto tracked = records_.poll()) {
        return *std::move(tracked);
    }
    return std::nullopt;
}

void GatewayTunnel::shut_down(Instant now) {
    kLog.info("Shutting down");
    flow_log_.finish_all(now);
    records_.finish_all(now);
    core_.close_all(now);
    for (const auto& [client, peer] : clients_) {
        names_.forget_client(client, now);
    }
    clients_.clear();
    due_.clear(Due::kExpirySweep);
    flows_.invalidate();
    drain_connections();
}

void GatewayTunnel::apply(const Command& command, Instant now, UnixSeconds wall_now) {
    std::visit(overloaded{[&](const portal_api::ToGateway& message) { handle_portal(message, now, wall_now); },
                          [&](const NetworkChanged& changed) {
                              core_.handle_network_change(changed.addresses, now);
                              drain_connections();
                          },
                          [&](const ShutDown&) { shut_down(now); },
                          [&](const NameFound& found) { handle_name_found(found, now); },
                          [&](const NameLookUpFailed& failed) { handle_name_failure(failed, now); },
                          [&](const DnsResponse& response) { handle_dns_response(response, now); },
                          [&](const DnsFailure& failure) { handle_dns_failure(failure, now); },
                          [&](const SetSystemResolvers& resolvers) { set_nameservers(resolvers, now); },
                          [&](const SetHostAddresses& host) { set_host_addresses(host); }},
               command);
}

std::optional<Uuid> GatewayTunnel::peer_of(const Command& command) {
    const auto* message = std::get_if<portal_api::ToGateway>(&command);
    if (message == nullptr) {
        return std::nullopt;
    }
    using Owner = std::optional<Uuid>;
    return std::visit(
        overloaded{
            [](const portal_api::GatewayInit&) -> Owner { return std::nullopt; },
            [](const portal_api::AuthorizeFlow& flow) -> Owner { return flow.client.id.uuid(); },
            [](const portal_api::AccessAuthorizationExpiryUpdated& update) -> Owner { return update.client_id.uuid(); },
            [](const portal_api::RejectAccess& reject) -> Owner { return reject.client_id.uuid(); },
            [](const portal_api::ResourceUpdated&) -> Owner { return std::nullopt; },
            [](const portal_api::RelaysPresence&) -> Owner { return std::nullopt; },
            [](const portal_api::ClientIceCandidates& added) -> Owner { return added.client_id.uuid(); },
            [](const portal_api::InvalidateClientIceCandidates& gone) -> Owner { return gone.client_id.uuid(); },
        },
        *message);
}

}  // namespace culvert::tunnel
