// Who may reach what through a gateway, and until when: what the portal says of it, and what becomes of it with time.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

std::string to_text(const ClientPolicy::Expiry& expires_at) {
    return expires_at ? std::to_string(expires_at->time_since_epoch().count()) : "never";
}

}  // namespace

void GatewayTunnel::authorize(const portal_api::AuthorizeFlow& message, Instant now) {
    const auto& client = message.client;
    const auto& resource = id_of(message.resource);
    if (!core_.tun_config()) {
        kLog.debug("Ignoring authorization before init", log::field("cid", client.id), log::field("rid", resource));
        return;
    }
    const auto upserted = core_.connect({.id = client.id.uuid(),
                                         .key = client.public_key,
                                         .preshared_key = client.preshared_key,
                                         .local = message.gateway_ice_credentials,
                                         .remote = message.client_ice_credentials},
                                        now);
    if (!upserted) {
        return;
    }
    auto& peer = clients_.admit(client.id, client.ipv4, client.ipv6);
    const auto actor = message.subject.actor_id ? Uuid::parse(*message.subject.actor_id) : std::nullopt;
    peer.policy.set_host_addresses(host_addresses_);
    peer.owner = actor ? *actor : client.id.uuid();
    // A client may ask for the same again and again, and must not bury what it asked for before.
    kLog.log(peer.policy.contains(resource) ? log::Level::kDebug : log::Level::kInfo, "Allowing access to resource",
             log::field("cid", client.id), log::field("rid", resource),
             log::field("expires_at", to_text(message.expires_at)));
    if (peer.policy.allow(message.resource, message.expires_at)) {
        names_.forget_resource(client.id, resource, now);
    }
    flow_log_.note_authorization(message);
    records_.authorize(client.id.uuid(), resource, message.flow_logs_ingest_token, now);
    peer.reused_at = *upserted == connectivity::Upserted::kReused ? std::optional{now} : std::nullopt;
    peer.leaves_at.reset();
    flows_.invalidate();
    due_.bring_forward(Due::kExpirySweep, now + kExpirySweepInterval);
    // Before the candidates that the new connection has ready: a client ignores candidates of a gateway that it was
    // not told about yet.
    core_.send_to_portal(portal_api::FlowAuthorized{message.ref});
}

/// To grant it until the next sweep would open a gap in what has ended, again and again, since the client asks anew.
/// The portal asks for no such thing, so its message took long, or our clock is wrong.
void GatewayTunnel::refuse_expired(const portal_api::AuthorizeFlow& message, Instant now, UnixSeconds wall_now) {
    const bool is_clock_wrong = wall_now - *message.expires_at > kLatestMessage;
    const bool warns = is_clock_wrong && now >= next_clock_warning_;
    if (warns) {
        next_clock_warning_ = now + kClockWarningInterval;
    }
    kLog.log(warns ? log::Level::kWarn : log::Level::kDebug,
             is_clock_wrong ? "Refusing access that has expired by our clock: is it right?"
                            : "Refusing access that has expired meanwhile",
             log::field("cid", message.client.id), log::field("rid", id_of(message.resource)),
             log::field("expires_at", to_text(message.expires_at)));
}

void GatewayTunnel::handle(const portal_api::AccessAuthorizationExpiryUpdated& message, Instant) {
    update_expiry(message.client_id, message.resource_id, message.expires_at);
}

void GatewayTunnel::handle(const portal_api::RejectAccess& message, Instant now) {
    auto* peer = clients_.find(message.client_id);
    if (peer == nullptr || !peer->policy.revoke(message.resource_id)) {
        kLog.debug("Nothing to revoke", log::field("cid", message.client_id), log::field("rid", message.resource_id));
        return;
    }
    kLog.info("Revoking access to resource", log::field("cid", message.client_id),
              log::field("rid", message.resource_id));
    names_.forget_resource(message.client_id, message.resource_id, now);
    records_.end(message.client_id.uuid(), message.resource_id, now);
    flows_.invalidate();
    if (peer->policy.empty()) {
        close_client(message.client_id, now);
    }
}

void GatewayTunnel::handle(const portal_api::ResourceUpdated& message, Instant) {
    for (auto& [client, peer] : clients_) {
        const auto updated = peer.policy.update_filters(message.resource);
        if (!updated && updated.error() == ClientPolicy::UpdateError::kTypeChanged) {
            kLog.error("Ignoring changed type of a resource in use", log::field("cid", client),
                       log::field("rid", id_of(message.resource)));
        }
    }
    flows_.invalidate();
}

void GatewayTunnel::set_host_addresses(const SetHostAddresses& host) {
    host_addresses_ = std::make_shared<const ClientPolicy::Addresses>(host.addresses.begin(), host.addresses.end());
    for (auto& [client, peer] : clients_) {
        peer.policy.set_host_addresses(host_addresses_);
    }
    flows_.invalidate();
}

void GatewayTunnel::reconcile(const std::vector<portal_api::Authorization>& authorizations, Instant now) {
    std::map<ClientId, std::set<ResourceId>> listed;
    for (const auto& authorization : authorizations) {
        listed[authorization.client_id].insert(authorization.resource_id);
    }
    // a client that is not listed at all has nothing left either
    for (auto& [client, peer] : clients_) {
        for (const auto& resource : peer.policy.retain(listed[client])) {
            kLog.info("Revoking access to resource", log::field("cid", client), log::field("rid", resource));
            names_.forget_resource(client, resource, now);
            records_.end(client.uuid(), resource, now);
        }
    }
    for (const auto& [client, resource, expires_at] : authorizations) {
        update_expiry(client, resource, expires_at);
    }
}

void GatewayTunnel::update_expiry(const ClientId& client, const ResourceId& resource, UnixSeconds expires_at) {
    auto* peer = clients_.find(client);
    const auto before = peer == nullptr ? std::unexpected{ClientPolicy::UpdateError::kUnknown}
                                        : peer->policy.update_expiry(resource, expires_at);
    if (!before) {
        kLog.debug("Ignoring expiry of unknown authorization", log::field("cid", client), log::field("rid", resource));
        return;
    }
    if (*before != expires_at) {
        kLog.info("Expiry of access changed", log::field("cid", client), log::field("rid", resource),
                  log::field("old", to_text(*before)), log::field("new", to_text(expires_at)));
    }
}

void GatewayTunnel::sweep(Instant now, UnixSeconds wall_now) {
    std::vector<ClientId> finished;
    std::vector<ClientId> gone;
    for (auto& [client, peer] : clients_) {
        for (const auto& resource : peer.policy.revoke_expired(wall_now)) {
            kLog.info("Access to resource expired", log::field("cid", client), log::field("rid", resource));
            names_.forget_resource(client, resource, now);
            records_.end(client.uuid(), resource, now);
            flows_.invalidate();
        }
        if (peer.policy.empty()) {
            finished.push_back(client);
        } else if (peer.leaves_at && *peer.leaves_at <= now) {
            gone.push_back(client);
        }
    }
    for (const auto& client : finished) {
        close_client(client, now);
    }
    for (const auto& client : gone) {
        kLog.debug("Client said goodbye, and was not heard of since", log::field("cid", client));
        forget_client(client, now);
    }
    flow_log_.sweep(now, wall_now);
    records_.sweep(now, [this](const Uuid& client) { return core_.send_path(client); });
    const bool is_idle = clients_.empty() && flow_log_.size() == 0;
    due_.set(Due::kExpirySweep, is_idle ? std::nullopt : std::optional{now + kExpirySweepInterval});
}

void GatewayTunnel::close_client(const ClientId& client, Instant now) {
    kLog.debug("Last resource of client is gone", log::field("cid", client));
    core_.close(client.uuid(), now);
    forget_client(client, now);
}

void GatewayTunnel::forget_client(const ClientId& client, Instant now) {
    core_.forget(client.uuid(), now);
    if (!clients_.forget(client)) {
        return;
    }
    flow_log_.forget_client(client);
    names_.forget_client(client, now);
    records_.end_all_of(client.uuid(), now);
    flows_.forget_peer(client.uuid());
    flows_.invalidate();
}

}  // namespace culvert::tunnel
