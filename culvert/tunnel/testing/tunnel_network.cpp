#include "culvert/tunnel/testing/tunnel_network.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel::test {
namespace {

portal_api::GatewayResource as_the_gateway_sees_it(const portal_api::ClientResource& resource,
                                                   const std::vector<portal_api::Filter>& filters) {
    using portal_api::GatewayResource;
    return std::visit(overloaded{
                          [&](const portal_api::ClientDnsResource& dns) -> GatewayResource {
                              return portal_api::GatewayDnsResource{dns.id, dns.name, dns.address, filters};
                          },
                          [&](const portal_api::ClientCidrResource& cidr) -> GatewayResource {
                              return portal_api::GatewayCidrResource{cidr.id, cidr.name, cidr.address, filters};
                          },
                          [&](const portal_api::ClientInternetResource& internet) -> GatewayResource {
                              return portal_api::GatewayInternetResource{internet.id};
                          },
                      },
                      resource);
}

}  // namespace

TunnelNetwork::Gateway::Gateway(std::uint8_t number, Instant now)
    : id{test::id<GatewayId>(number)},
      address{ip("198.51.100." + std::to_string(number))},
      ipv4{ip("100.64.1." + std::to_string(number))},
      ipv6{ip("fd00:2021:1111::1:" + std::to_string(number))},
      state{Rng::from_number(1000U + number), now, kWallStart} {}

TunnelNetwork::Rogue::Rogue(std::uint8_t number, const net::IpAddress& own_ipv4, const net::IpAddress& own_ipv6,
                            Instant now)
    : RogueNode{.address = ip("192.0.2." + std::to_string(number)),
                .ipv4 = own_ipv4,
                .ipv6 = own_ipv6,
                .node = {connectivity::Role::kClient, Rng::from_number(number), now, kWallStart}},
      id{test::id<ClientId>(number)} {}

TunnelNetwork::RogueGateway::RogueGateway(Instant now)
    : RogueNode{.address = ip("198.51.100.66"),
                .ipv4 = ip("100.64.1.66"),
                .ipv6 = ip("fd00:2021:1111::1:66"),
                .node = {connectivity::Role::kGateway, Rng::from_number(67), now, kWallStart}},
      id{test::id<GatewayId>(66)} {}

TunnelNetwork::TunnelNetwork(std::uint64_t seed)
    : VirtualWire{seed + 1},
      client{.id = test::id<ClientId>(1),
             .address = ip("192.0.2.1"),
             .ipv4 = ip("100.64.0.1"),
             .ipv6 = ip("fd00:2021:1111::1"),
             .state = ClientTunnel{Rng::from_number(seed), now, kWallStart},
             .received = {},
             .intents = {},
             .tun_config = {},
             .resources = {}} {}

TunnelNetwork::Gateway& TunnelNetwork::add_gateway(std::uint8_t number) {
    const auto [entry, is_new] = gateways.try_emplace(number, number, now);
    init_gateway(entry->second);
    return entry->second;
}

void TunnelNetwork::restart(Gateway& gateway) {
    std::destroy_at(&gateway.state);
    std::construct_at(&gateway.state, Rng::from_number(77), now, WallTime{wall_now()});
    init_gateway(gateway);
}

void TunnelNetwork::add_resource(std::uint8_t number, std::string_view network, Grant grant) {
    add_resource(cidr(number, network), std::move(grant));
}

void TunnelNetwork::add_resource(const portal_api::ClientResource& resource, Grant grant) {
    resources_.insert_or_assign(id_of(resource), resource);
    grants.insert_or_assign(id_of(resource), std::move(grant));
    if (client.tun_config) {
        to_client(portal_api::ResourceCreatedOrUpdated{resource});
    }
}

void TunnelNetwork::remove_resource(const ResourceId& id) {
    resources_.erase(id);
    grants.erase(id);
    to_client(portal_api::ResourceDeleted{id});
}

// --- The portal ---

std::vector<portal_api::ClientResource> TunnelNetwork::resources() const {
    std::vector<portal_api::ClientResource> all;
    for (const auto& [id, resource] : resources_) {
        all.emplace_back(resource);
    }
    return all;
}

void TunnelNetwork::init_client() {
    to_client(portal_api::ClientInit{{client.ipv4, client.ipv6, {}, {}}, resources(), relays()});
}

void TunnelNetwork::init_gateway(Gateway& gateway, std::vector<portal_api::Authorization> authorizations) {
    portal_api::GatewayInit init;
    init.interface = {gateway.ipv4, gateway.ipv6, {}, {}};
    init.relays = relays();
    init.authorizations = std::move(authorizations);
    to_gateway(gateway, init);
}

void TunnelNetwork::to_client(const portal_api::ToClient& message) {
    client.state.handle_portal(message, now, wall_now());
    drain_client();
}

void TunnelNetwork::to_gateway(Gateway& gateway, const portal_api::ToGateway& message) {
    gateway.state.handle_portal(message, now, wall_now());
    drain_gateway(gateway);
}

void TunnelNetwork::command(Gateway& gateway, const GatewayTunnel::Command& command) {
    gateway.state.apply(command, now, wall_now());
    drain_gateway(gateway);
}

portal_api::AuthorizeFlow TunnelNetwork::authorize_flow(const ResourceId& resource) const {
    const auto& grant = grants.at(resource);
    const auto& gateway_key = gateways.at(grant.gateway).state.public_key();
    portal_api::AuthorizeFlow message;
    message.ref = resource.to_string();
    message.resource = as_the_gateway_sees_it(resources_.at(resource), grant.filters);
    message.client.id = client.id;
    message.client.public_key = client.state.public_key();
    message.client.ipv4 = client.ipv4;
    message.client.ipv6 = client.ipv6;
    message.client_ice_credentials = credentials(client.state.public_key(), gateway_key);
    message.gateway_ice_credentials = credentials(gateway_key, client.state.public_key());
    message.expires_at = grant.expires_at;
    if (grant.records_flows) {
        message.flow_logs_ingest_token = ingest_token(resource, portal_api::FlowRole::kResponder);
    }
    return message;
}

portal_api::FlowCreated TunnelNetwork::flow_created(const ResourceId& resource) const {
    const auto& gateway = gateways.at(grants.at(resource).gateway);
    const auto& gateway_key = gateway.state.public_key();
    portal_api::FlowCreated message;
    message.resource_id = resource;
    message.gateway_id = gateway.id;
    message.gateway_public_key = gateway_key;
    message.gateway_ipv4 = gateway.ipv4;
    message.gateway_ipv6 = gateway.ipv6;
    message.site_id = kSite;
    message.client_ice_credentials = credentials(client.state.public_key(), gateway_key);
    message.gateway_ice_credentials = credentials(gateway_key, client.state.public_key());
    if (grants.at(resource).records_flows) {
        message.flow_logs_ingest_token = ingest_token(resource, portal_api::FlowRole::kInitiator);
    }
    return message;
}

std::string ingest_token(const ResourceId& resource, portal_api::FlowRole role) {
    portal_api::IngestClaims claims;
    claims.expires_at = UnixSeconds{std::chrono::seconds{4'000'000'000}};
    claims.uploads_enabled = true;
    claims.role = role;
    claims.policy_authorization = resource.uuid();
    claims.resource = resource;
    return portal_api::sign_ingest_token(claims, {});
}

void TunnelNetwork::authorize(const portal_api::CreateFlow& intent) {
    if (const auto grant = grants.find(intent.resource_id); grant != grants.end()) {
        to_gateway(gateways.at(grant->second.gateway), authorize_flow(intent.resource_id));
    }
}

void TunnelNetwork::handle(portal_api::FromClient message) {
    std::visit(
        overloaded{
            [&](portal_api::CreateFlow& intent) {
                client.intents.push_back(intent);
                if (is_portal_answering) {
                    later([this, intent] { authorize(intent); });
                }
            },
            [&](portal_api::BroadcastGatewayIceCandidates& broadcast) {
                later([this, broadcast] {
                    if (rogue_gateway && broadcast.gateway_ids.front() == rogue_gateway->id) {
                        for (const auto& candidate : broadcast.candidates) {
                            rogue_gateway->node.add_remote_candidate(client.id.uuid(), candidate, now);
                        }
                    }
                    for (auto& [number, gateway] : gateways) {
                        const bool is_told = !loses_candidates || !loses_candidates();
                        if (is_told &&
                            std::ranges::find(broadcast.gateway_ids, gateway.id) != broadcast.gateway_ids.end()) {
                            to_gateway(gateway, portal_api::ClientIceCandidates{client.id, broadcast.candidates});
                        }
                    }
                });
            },
            [&](portal_api::BroadcastInvalidatedGatewayIceCandidates& broadcast) {
                later([this, broadcast] {
                    for (auto& [number, gateway] : gateways) {
                        if (std::ranges::find(broadcast.gateway_ids, gateway.id) != broadcast.gateway_ids.end()) {
                            to_gateway(gateway,
                                       portal_api::InvalidateClientIceCandidates{client.id, broadcast.candidates});
                        }
                    }
                });
            },
            [](portal_api::NoRelays&) {},
            [](portal_api::SnownetCapabilities&) {},
            [](portal_api::BroadcastClientIceCandidates&) {},  // there are no other clients
            [](portal_api::BroadcastInvalidatedClientIceCandidates&) {},
        },
        message);
}

void TunnelNetwork::handle(Gateway& gateway, portal_api::FromGateway message) {
    const auto id = gateway.id;
    std::visit(overloaded{
                   [&](portal_api::FlowAuthorized& authorized) {
                       ++gateway.flows_authorized;
                       if (const auto resource = ResourceId::parse(authorized.ref)) {
                           later([this, resource] {
                               if (grants.contains(*resource)) {
                                   to_client(flow_created(*resource));
                               }
                           });
                       }
                   },
                   [&](portal_api::BroadcastClientIceCandidates& broadcast) {
                       later([this, id, broadcast] {
                           for (auto* each : rogues()) {
                               if (broadcast.client_ids.front() == each->id) {
                                   for (const auto& candidate : broadcast.candidates) {
                                       each->node.add_remote_candidate(id.uuid(), candidate, now);
                                   }
                                   return;
                               }
                           }
                           if (!loses_candidates || !loses_candidates()) {
                               to_client(portal_api::GatewayIceCandidates{id, broadcast.candidates});
                           }
                       });
                   },
                   [&](portal_api::BroadcastInvalidatedClientIceCandidates& broadcast) {
                       later([this, id, broadcast] {
                           to_client(portal_api::InvalidateGatewayIceCandidates{id, broadcast.candidates});
                       });
                   },
                   [](portal_api::NoRelays&) {},
                   [](portal_api::SnownetCapabilities&) {},
               },
               message);
}

// --- Devices ---

void TunnelNetwork::drain() {
    drain_client();
    for (auto& [number, gateway] : gateways) {
        drain_gateway(gateway);
    }
    for (auto* each : rogues()) {
        drain_rogue(*each);
    }
    drain_rogue_gateway();
}

void TunnelNetwork::drain_client() {
    drain_device(
        client,
        overloaded{
            [&](TunInterfaceUpdated& updated) {
                client.tun_config = std::move(updated.config);
                ++client.tun_updates;
            },
            [&](SendToPortal& sent) { handle(std::get<portal_api::FromClient>(std::move(sent.message))); },
            [&](ResourcesChanged& changed) {
                client.resources = std::move(changed.resources);
                ++client.resource_updates;
            },
            [&](AskForRelays&) { ++client.relay_requests; },
            [&](const ConnectionEnded& ended) { client.ended_connections.push_back(ended.peer); },
            [&](FlowsTracked& tracked) { std::ranges::move(tracked.flows, std::back_inserter(client.records)); },
            [&](KeyChanged& changed) { EXPECT_EQ(changed.public_key, client.state.public_key()); },
            [&](DnsRecordsChanged& changed) {
                client.dns_records = std::move(changed.records);
                ++client.dns_record_updates;
            },
            [&](dns::Ask& ask) { client.asks.push_back(std::move(ask)); },
            [&](dns::StopAsking& stop) { client.stopped_asks.push_back(stop.id); },
        });
}

void TunnelNetwork::drain_gateway(Gateway& gateway) {
    drain_device(
        gateway,
        overloaded{
            [&](TunInterfaceUpdated& updated) { gateway.tun_config = std::move(updated.config); },
            [&](SendToPortal& sent) { handle(gateway, std::get<portal_api::FromGateway>(std::move(sent.message))); },
            [&](AskForRelays&) { ++gateway.relay_requests; },
            [](ConnectionEnded&) {},
            [&](FlowsTracked& tracked) { std::ranges::move(tracked.flows, std::back_inserter(gateway.records)); },
            [&](LookUpName& look_up) { gateway.look_ups.push_back(std::move(look_up)); },
            [&](dns::Ask& ask) { gateway.asks.push_back(std::move(ask)); },
            [&](dns::StopAsking& stop) { gateway.stopped_asks.push_back(stop.id); },
        });
}

void TunnelNetwork::send(ByteSpan packet) {
    send_from_host(client, packet);
    drain_client();
}

void TunnelNetwork::send(packet::TunPacket packet) {
    send_from_host(client, packet);
    drain_client();
}

void TunnelNetwork::send(Gateway& gateway, ByteSpan packet) {
    send_from_host(gateway, packet);
    drain_gateway(gateway);
}

void TunnelNetwork::inject(Gateway& gateway, ByteSpan datagram) {
    auto copy = to_bytes(datagram);
    receive(gateway, socket("192.0.2.99:4000"), {gateway.address, kPort}, net::Ecn::kNotEct, copy);
}

void TunnelNetwork::deliver(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                            Bytes& payload) {
    if (to.ip == client.address) {
        receive(client, from, to, ecn, payload);
        drain_client();
    }
    for (auto* each : rogues()) {
        if (to.ip == each->address) {
            receive(*each, from, to, payload);
            drain_rogue(*each);
        }
    }
    if (rogue_gateway && to.ip == rogue_gateway->address) {
        receive(*rogue_gateway, from, to, payload);
        drain_rogue_gateway();
    }
    for (auto& [number, gateway] : gateways) {
        if (to.ip == gateway.address && gateway.is_up) {
            receive(gateway, from, to, ecn, payload);
            drain_gateway(gateway);
        }
    }
}

Instant TunnelNetwork::next_timeout() {
    auto next = client.state.poll_timeout().value_or(Instant::max());
    for (auto& [number, gateway] : gateways) {
        next = std::min(next, gateway.state.poll_timeout().value_or(next));
    }
    for (auto* each : rogues()) {
        next = std::min(next, each->node.poll_timeout().value_or(next));
    }
    return rogue_gateway ? std::min(next, rogue_gateway->node.poll_timeout().value_or(next)) : next;
}

// --- Rogues ---

std::vector<TunnelNetwork::Rogue*> TunnelNetwork::rogues() {
    std::vector<Rogue*> all;
    for (auto* one : {&rogue, &other_rogue}) {
        if (*one) {
            all.push_back(&**one);
        }
    }
    return all;
}

void TunnelNetwork::drain_rogue(Rogue& one) {
    VirtualWire::drain_rogue(one, [this, id = one.id](const std::string& candidate) {
        for (auto& [number, gateway] : gateways) {
            to_gateway(gateway, portal_api::ClientIceCandidates{id, {candidate}});
        }
    });
}

void TunnelNetwork::drain_rogue_gateway() {
    if (rogue_gateway) {
        VirtualWire::drain_rogue(*rogue_gateway, [this](const std::string& candidate) {
            to_client(portal_api::GatewayIceCandidates{rogue_gateway->id, {candidate}});
        });
    }
}

void TunnelNetwork::connect_rogue(Gateway& gateway, const portal_api::GatewayResource& resource) {
    rogue_authorization = connect(rogue.emplace(std::uint8_t{66}, client.ipv4, client.ipv6, now), gateway, resource);
}

void TunnelNetwork::connect_other_rogue(Gateway& gateway, const portal_api::GatewayResource& resource) {
    other_rogue_authorization = connect(
        other_rogue.emplace(std::uint8_t{68}, ip("100.64.0.67"), ip("fd00:2021:1111::67"), now), gateway, resource);
}

portal_api::AuthorizeFlow TunnelNetwork::connect(Rogue& newcomer, Gateway& gateway,
                                                 const portal_api::GatewayResource& resource) {
    newcomer.node.update_relays({}, to_relay_servers(relays()), now);
    run_for(std::chrono::seconds{1});

    const auto& key = newcomer.node.public_key();
    const auto& gateway_key = gateway.state.public_key();
    const auto local = credentials(key, gateway_key);
    const auto remote = credentials(gateway_key, key);
    portal_api::AuthorizeFlow message;
    message.ref = "rogue";
    message.resource = resource;
    message.client.id = newcomer.id;
    message.client.public_key = key;
    message.client.ipv4 = newcomer.ipv4;
    message.client.ipv6 = newcomer.ipv6;
    message.client_ice_credentials = local;
    message.gateway_ice_credentials = remote;
    to_gateway(gateway, message);
    if (!newcomer.node.upsert_connection(gateway.id.uuid(), gateway_key, {}, {local.username, local.password},
                                         {remote.username, remote.password}, now)) {
        throw std::runtime_error{"no relays"};
    }
    run_for(std::chrono::seconds{3});
    return message;
}

void TunnelNetwork::connect_rogue_gateway(std::uint8_t resource, ByteSpan packet) {
    rogue_gateway.emplace(now);
    auto& node = rogue_gateway->node;
    node.update_relays({}, to_relay_servers(relays()), now);
    run_for(std::chrono::seconds{1});

    const bool was_answering = std::exchange(is_portal_answering, false);
    send(packet);
    portal_api::FlowCreated message;
    message.resource_id = test::id<ResourceId>(resource);
    message.gateway_id = rogue_gateway->id;
    message.gateway_public_key = node.public_key();
    message.gateway_ipv4 = rogue_gateway->ipv4;
    message.gateway_ipv6 = rogue_gateway->ipv6;
    message.site_id = kSite;
    message.client_ice_credentials = credentials(client.state.public_key(), node.public_key());
    message.gateway_ice_credentials = credentials(node.public_key(), client.state.public_key());
    const auto& local = message.gateway_ice_credentials;
    const auto& remote = message.client_ice_credentials;
    if (!node.upsert_connection(client.id.uuid(), client.state.public_key(), {}, {local.username, local.password},
                                {remote.username, remote.password}, now)) {
        throw std::runtime_error{"no relays"};
    }
    rogue_flow_created = message;
    to_client(message);
    run_for(std::chrono::seconds{3});
    is_portal_answering = was_answering;
}

void TunnelNetwork::send_from_rogue_gateway(ByteSpan packet) {
    rogue_gateway->node.encapsulate(client.id.uuid(), packet, now);
    drain_rogue_gateway();
}

void TunnelNetwork::send_from_rogue(Gateway& gateway, ByteSpan packet) {
    rogue->node.encapsulate(gateway.id.uuid(), packet, now);
    drain_rogue(*rogue);
}

void TunnelNetwork::send_from_other_rogue(Gateway& gateway, ByteSpan packet) {
    other_rogue->node.encapsulate(gateway.id.uuid(), packet, now);
    drain_rogue(*other_rogue);
}

}  // namespace culvert::tunnel::test
