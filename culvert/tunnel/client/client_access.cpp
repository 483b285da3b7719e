// Access of a client: what it asks the portal for and is granted, and the gateways that it reaches it through.

#include <string_view>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

/// What to tell the user of a refusal; empty: nothing, it is of no use to him.
std::string_view text_of(portal_api::FlowFailure reason) {
    switch (reason) {
        case portal_api::FlowFailure::kOffline:
            return "All gateways of a resource are offline: it can be reached again once one of them runs";
        case portal_api::FlowFailure::kVersionMismatch:
            return "No gateway of a resource has a version that goes with this client's: have gateways or client "
                   "updated";
        case portal_api::FlowFailure::kNotFound:
        case portal_api::FlowFailure::kForbidden:
        case portal_api::FlowFailure::kUnknown:
            break;
    }
    return {};
}

}  // namespace

// --- Requests ---

void ClientTunnel::request_access(const ResourceId& resource, std::string_view trigger, Instant now) {
    if (!access_requests_.request(resource, now)) {
        kLog.trace("Access was requested moments ago", log::field("rid", resource));
        return;
    }
    ask_portal(resource, trigger);
}

void ClientTunnel::ask_portal(const ResourceId& resource, std::string_view trigger) {
    kLog.debug("Requesting access", log::field("rid", resource), log::field("trigger", trigger));
    core_.send_to_portal(portal_api::CreateFlow{resource, preferences_.for_resource(resource, peers_.ids())});
}

/// An `init` comes with each connection to the portal.
void ClientTunnel::renew_requests(Instant now) {
    for (const auto& resource : access_requests_.renew(now)) {
        ask_portal(resource, "new-connection-to-portal");
    }
    for (const auto& resource : std::exchange(used_before_reset_, {})) {
        if (resources_.find(resource) != nullptr && !peers_.gateway_of(resource)) {
            request_access(resource, "flows-before-reset", now);
        }
    }
}

/// A reset ends the connections, not what goes through them. Where only the far end speaks, nothing else would bring
/// them back before the application loses patience.
void ClientTunnel::note_resources_in_use(Instant now) {
    for (const auto& flow : flows_.live(now)) {
        const auto target = target_of(flow.remote, service_of(flow));
        if (target.is_permitted && peers_.gateway_of(id_of(*target.resource))) {
            used_before_reset_.insert(id_of(*target.resource));
        }
    }
}

void ClientTunnel::reauthorise(const packet::EmbeddedPacket& refused, Instant now) {
    const auto target = target_of(refused.destination, service_of(refused));
    // a traffic filter says no in the same words as a missing authorization; asking again would not change it
    if (!target.is_permitted || !reauthorise_throttle_.allow(id_of(*target.resource), now)) {
        return;
    }
    request_access(id_of(*target.resource), "icmp-destination-unreachable-prohibited", now);
}

// --- Answers ---

void ClientTunnel::handle(const portal_api::FlowCreated& message, Instant now) {
    const auto& id = message.resource_id;
    const auto& gateway = message.gateway_id;
    const auto* resource = resources_.find(id);
    if (resource == nullptr || devices_.contains(ClientId{gateway.uuid()})) {
        kLog.warn("Ignoring flow for unknown resource", log::field("rid", id), log::field("gid", gateway));
        return;
    }
    if (access_requests_.waiting(id) == nullptr) {
        kLog.debug("Ignoring flow that nobody waits for", log::field("rid", id), log::field("gid", gateway));
        return;
    }
    const auto upserted = core_.connect({.id = gateway.uuid(),
                                         .key = message.gateway_public_key,
                                         .preshared_key = message.preshared_key,
                                         .local = message.client_ice_credentials,
                                         .remote = message.gateway_ice_credentials},
                                        now);
    if (!upserted) {
        // The portal has been asked for relays. Access is asked for again if there is still traffic.
        access_requests_.drop_waiting(id);
        forget_gateway(gateway, now);
        return;
    }
    const auto waiting = access_requests_.take(id);
    if (*upserted == connectivity::Upserted::kReplaced) {
        // The gateway has started anew and allows nothing of what it once did: each resource is asked for again.
        forget_grants(gateway, now);
    }
    if (const auto before = peers_.gateway_of(id); before != gateway) {
        names_.forget_resource(id);  // what another gateway knows
        if (before) {
            records_.end(before->uuid(), id, now);
        }
    }
    records_.authorize(gateway.uuid(), id, message.flow_logs_ingest_token, now);
    if (records_.is_on()) {
        due_.bring_forward(Due::kFlowSweep, now + kFlowSweepInterval);
    }

    statuses_.set_site(gateway, message.site_id);
    preferences_.note(id, gateway);
    peers_.add(gateway, message.gateway_ipv4, message.gateway_ipv6);
    peers_.assign(id, gateway, networks_of(*resource));
    flows_.invalidate();
    close_unused_gateways(now);  // the resource may have moved here from another gateway
    for (std::size_t i = 0; i < waiting->queries.size(); ++i) {
        core_.send(gateway.uuid(), waiting->queries[i], now);
    }
    if (std::holds_alternative<portal_api::ClientDnsResource>(*resource)) {
        tell_names(id, gateway, waiting->packets, now);
        dns_.handle_site_connected(id, {.ipv4 = message.gateway_ipv4, .ipv6 = message.gateway_ipv6}, now);
        return;
    }
    for (std::size_t i = 0; i < waiting->packets.size(); ++i) {
        send_waiting(gateway, waiting->packets[i], now);
    }
}

void ClientTunnel::handle(const portal_api::FlowCreationFailed& message, Instant now) {
    devices_.handle_refusal(message.resource_id);
    const auto* resource = resources_.find(message.resource_id);
    kLog.debug("Portal refused flow", log::field("rid", message.resource_id),
               log::field("reason", portal_api::to_string(message.reason)));
    if (resource == nullptr) {
        return;
    }
    notice(message.resource_id, message.reason);
    if (message.reason != portal_api::FlowFailure::kOffline) {
        return;
    }
    access_requests_.erase(message.resource_id);
    if (const auto gateway = peers_.gateway_of(message.resource_id)) {
        close_gateway(*gateway, now);
    }
    statuses_.set_offline(sites_of(*resource), now);
    resources_changed_ = true;
}

void ClientTunnel::notice(const ResourceId& resource, portal_api::FlowFailure reason) {
    const auto text = text_of(reason);
    if (!text.empty() && noticed_.emplace(resource, reason).second) {
        kLog.info(text, log::field("rid", resource));
    }
}

// --- Gateways ---

void ClientTunnel::close_unused_gateways(Instant now) {
    for (const auto& gateway : peers_.unused()) {
        kLog.debug("Last resource for peer is gone", log::field("gid", gateway));
        close_gateway(gateway, now);
    }
    drain_connections(now);
}

void ClientTunnel::close_gateway(const GatewayId& gateway, Instant now) {
    core_.close(gateway.uuid(), now);
    forget_gateway(gateway, now);
}

void ClientTunnel::forget_gateway(const GatewayId& gateway, Instant now) {
    core_.forget(gateway.uuid(), now);
    if (!forget_grants(gateway, now)) {
        return;
    }
    statuses_.set_unknown(gateway);
    resources_changed_ = true;
    flows_.invalidate();
}

bool ClientTunnel::forget_grants(const GatewayId& gateway, Instant now) {
    records_.end_all_of(gateway.uuid(), now);
    for (const auto& resource : peers_.resources_of(gateway)) {
        dns_.handle_site_lost(resource);
    }
    names_.forget_gateway(gateway);
    return peers_.remove(gateway);
}

void ClientTunnel::forget_all_gateways(Instant now) {
    for (const auto& gateway : peers_.ids()) {
        forget_gateway(gateway, now);
    }
}

void ClientTunnel::drain_connections(Instant now) {
    bool must_start_anew = false;
    core_.drain_connections(overloaded{
        [&](const connectivity::ConnectionEstablished& established) {
            // The connection may have been closed since.
            if (const GatewayId gateway{established.id}; peers_.contains(gateway)) {
                silent_gateways_.note_contact(gateway);
                statuses_.set_online(gateway);
                resources_changed_ = true;
            }
        },
        [&](const connectivity::ConnectionFailed& failed) {
            if (const GatewayId gateway{failed.id}; failed.was_silent && peers_.contains(gateway)) {
                must_start_anew |= silent_gateways_.note_silence(gateway, now);
            }
            forget_peer(failed.id, now);
        },
        [&](const connectivity::ConnectionClosed& closed) { forget_peer(closed.id, now); },
    });
    if (must_start_anew) {
        reset("a gateway signals no candidates", now);
    }
}

void ClientTunnel::forget_peer(const connectivity::ConnectionId& id, Instant now) {
    if (const ClientId client{id}; devices_.contains(client)) {
        devices_.forget(client, now);
    } else {
        forget_gateway(GatewayId{id}, now);
    }
}

}  // namespace culvert::tunnel
