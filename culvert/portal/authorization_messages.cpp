#include "culvert/portal/authorization_messages.h"

#include "culvert/base/rfc3339.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/derivations.h"
#include "culvert/portal/version.h"

namespace culvert::portal {
namespace {

PairIceCredentials ice_credentials_of(const FlowEnds& ends) {
    return ice_credentials(ends.client.id, ends.client.public_key, ends.gateway.id, ends.gateway.public_key);
}

crypto::PresharedKey preshared_key_of(const FlowEnds& ends) {
    return preshared_key(ends.client.id, ends.client.public_key, ends.client.psk_base, ends.gateway.id,
                         ends.gateway.public_key, ends.gateway.psk_base);
}

template <typename Row>
portal_api::IngestClaims claims_of(const Row& flow, const Uuid& responder, const Client& client,
                                   const Directory& directory, UnixSeconds now) {
    portal_api::IngestClaims claims{.account = directory.account.id,
                                    .issued_at = now,
                                    .expires_at = flow.expires_at + kIngestGrace,
                                    .initiator_device = flow.client.uuid(),
                                    .responder_device = responder,
                                    .policy_authorization = flow.id.uuid(),
                                    .policy = flow.policy.uuid(),
                                    .resource = flow.resource,
                                    .resource_name = {},
                                    .initiator_actor = client.actor.uuid(),
                                    .initiator_actor_name = {},
                                    .authorized_at = to_rfc3339(now),
                                    .authorization_expires_at = to_rfc3339(flow.expires_at)};
    if (const auto resource = directory.resources.find(flow.resource); resource != directory.resources.end()) {
        claims.resource_name = resource->second.name;
        if (!resource->second.address.empty()) {
            claims.resource_address = resource->second.address;
        }
    }
    const auto policy = directory.policies.find(flow.policy);
    const bool logs_flows = policy != directory.policies.end() && policy->second.logs_flows;
    claims.uploads_enabled = directory.account.flow_logging.is_on && logs_flows;
    if (const auto actor = directory.actors.find(client.actor); actor != directory.actors.end()) {
        claims.initiator_actor_name = actor->second.name;
        claims.initiator_actor_email = actor->second.email;
    }
    claims.initiator_client_version = client.last_seen.version;
    if (const auto agent = UserAgent::parse(client.last_seen.user_agent)) {
        claims.initiator_device_os_name = agent->os_name;
        claims.initiator_device_os_version = agent->os_version;
    }
    claims.initiator_device_serial = client.device_serial;
    claims.initiator_device_uuid = client.device_uuid;
    claims.initiator_device_identifier_for_vendor = client.identifier_for_vendor;
    claims.initiator_device_firebase_installation_id = client.firebase_installation_id;
    return claims;
}

}  // namespace

portal_api::AuthorizeFlow authorize_flow(const FlowEnds& ends, const portal_api::GatewayResource& resource,
                                         const Directory& directory) {
    const auto& client = ends.client;
    const auto ice = ice_credentials_of(ends);
    portal_api::AuthorizeFlow message{.ref = {},
                                      .resource = resource,
                                      .client = {.id = client.id,
                                                 .public_key = client.public_key,
                                                 .preshared_key = preshared_key_of(ends),
                                                 .ipv4 = client.ipv4,
                                                 .ipv6 = client.ipv6,
                                                 .version = client.last_seen.version,
                                                 .device_serial = client.device_serial,
                                                 .device_uuid = client.device_uuid,
                                                 .identifier_for_vendor = client.identifier_for_vendor,
                                                 .firebase_installation_id = client.firebase_installation_id},
                                      .client_ice_credentials = ice.client,
                                      .gateway_ice_credentials = ice.gateway,
                                      .subject = {},
                                      .expires_at = ends.flow.expires_at};
    if (const auto agent = UserAgent::parse(client.last_seen.user_agent)) {
        message.client.device_os_name = agent->os_name;
        message.client.device_os_version = agent->os_version;
    }
    message.subject.actor_id = client.actor.to_string();
    if (const auto actor = directory.actors.find(client.actor); actor != directory.actors.end()) {
        message.subject.identity_name = actor->second.name;
        message.subject.actor_email = actor->second.email;
    }
    return message;
}

portal_api::FlowCreated flow_created(const FlowEnds& ends) {
    const auto ice = ice_credentials_of(ends);
    return {.resource_id = ends.flow.resource,
            .gateway_id = ends.gateway.id,
            .gateway_public_key = ends.gateway.public_key,
            .gateway_ipv4 = ends.gateway.ipv4,
            .gateway_ipv6 = ends.gateway.ipv6,
            .site_id = ends.gateway.site,
            .preshared_key = preshared_key_of(ends),
            .client_ice_credentials = ice.client,
            .gateway_ice_credentials = ice.gateway};
}

portal_api::IngestClaims ingest_claims(const FlowEnds& ends, const Directory& directory, UnixSeconds now) {
    return claims_of(ends.flow, ends.flow.gateway.uuid(), ends.client, directory, now);
}

portal_api::IngestClaims ingest_claims(const DeviceFlow& flow, const Client& client, const Directory& directory,
                                       UnixSeconds now) {
    return claims_of(flow, flow.device.uuid(), client, directory, now);
}

}  // namespace culvert::portal
