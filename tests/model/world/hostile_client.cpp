#include "tests/model/world/hostile_client.h"

#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/tunnel/device/relay_servers.h"

namespace culvert::model {

HostileClient::HostileClient(ClientNo number, std::uint16_t port, PortalLink& link, Environment& environment,
                             const Rng& rng, Instant now)
    : number_{number},
      port_{port},
      link_{link},
      environment_{environment},
      node_{connectivity::Role::kClient, rng, now, environment.wall_now()} {}

void HostileClient::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn,
                                    MutableByteSpan payload, Instant now) {
    const auto packet = node_.decapsulate(local, from, payload, now);
    if (packet && *packet) {
        environment_.deliver(number_, (*packet)->packet);
    }
    node_.handle_timeout(now);
}

void HostileClient::handle_portal_event(portal_channel::Event& event, Instant now) {
    if (const auto* received = std::get_if<portal_channel::MessageReceived>(&event)) {
        if (const auto* message = std::get_if<portal_api::ToClient>(&received->message)) {
            std::visit([&](const auto& alternative) { handle(alternative, now); }, *message);
            node_.handle_timeout(now);
        }
    }
}

void HostileClient::handle(const portal_api::ClientInit& message, Instant now) {
    interface_ = message.interface;
    node_.update_relays({}, tunnel::to_relay_servers(message.relays), now);
    for (const auto& resource : message.resources) {
        ask_for(std::visit([](const auto& any) { return any.id; }, resource));
    }
}

void HostileClient::handle(const portal_api::ResourceCreatedOrUpdated& message, Instant) {
    ask_for(std::visit([](const auto& any) { return any.id; }, message.resource));
}

void HostileClient::handle(const portal_api::RelaysPresence& message, Instant now) {
    node_.update_relays(message.disconnected_ids, tunnel::to_relay_servers(message.connected), now);
}

void HostileClient::handle(const portal_api::FlowCreated& message, Instant now) {
    const auto& id = message.gateway_id.uuid();
    const auto created = node_.upsert_connection(
        id, message.gateway_public_key, message.preshared_key,
        {message.client_ice_credentials.username, message.client_ice_credentials.password},
        {message.gateway_ice_credentials.username, message.gateway_ice_credentials.password}, now);
    if (created) {
        gateways_.insert(id);
    }
}

void HostileClient::handle(const portal_api::GatewayIceCandidates& message, Instant now) {
    for (const auto& candidate : message.candidates) {
        node_.add_remote_candidate(message.gateway_id.uuid(), candidate, now);
    }
}

bool HostileClient::drain(Instant) {
    bool has_output = send_outputs(node_, number_, port_, environment_);
    has_output |= std::exchange(has_asked_, false);
    while (const auto event = node_.poll_event()) {
        has_output = true;
        std::visit(overloaded{[&](const connectivity::NewIceCandidate& candidate) {
                                  link_.channel().send(portal_api::FromClient{portal_api::BroadcastGatewayIceCandidates{
                                      {GatewayId{candidate.id}}, {candidate.candidate}}});
                              },
                              [&](const connectivity::InvalidateIceCandidate&) {},
                              [&](const connectivity::ConnectionEstablished&) {},
                              [&](const connectivity::ConnectionFailed& failed) { gateways_.erase(failed.id); },
                              [&](const connectivity::ConnectionClosed& closed) { gateways_.erase(closed.id); }},
                   *event);
    }
    return has_output;
}

void HostileClient::reset(std::string_view, Instant now) {
    node_.reset(now);
    link_.channel().connect(node_.public_key(), now);
}

portal_channel::ChannelOptions HostileClient::channel_options() const {
    return {.role = portal_api::Role::kClient, .stamp_secret = {}, .max_partition_time = {}};
}

std::string HostileClient::snapshot(Instant now) const {
    return node_.debug_snapshot(now);
}

void HostileClient::send_inside(const Uuid& gateway, ByteSpan packet, Instant now) {
    node_.encapsulate(gateway, packet, now);
    node_.handle_timeout(now);
}

void HostileClient::ask_for(const ResourceId& resource) {
    std::vector<GatewayId> connected;
    for (const auto& gateway : gateways_) {
        connected.emplace_back(gateway);
    }
    link_.channel().send(portal_api::FromClient{portal_api::CreateFlow{resource, connected}});
    has_asked_ = true;
}

void HostileClient::flood_candidates(const Uuid& gateway, std::size_t count) {
    portal_api::BroadcastGatewayIceCandidates message{{GatewayId{gateway}}, {}};
    for (std::size_t i = 0; i < count; ++i) {
        // Addresses of the gateway's own network among them.
        message.candidates.push_back("candidate:" + std::to_string(i) + " 1 UDP " + std::to_string(2'130'706'431 - i) +
                                     " 10." + std::to_string(i / 62'500) + "." + std::to_string(i / 250 % 250) + "." +
                                     std::to_string(1 + i % 250) + " 4000 typ host");
    }
    link_.channel().send(portal_api::FromClient{std::move(message)});
}

}  // namespace culvert::model
