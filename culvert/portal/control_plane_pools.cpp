// Clients that reach each other by pools of devices (spec/newer-dialect.md section 12).

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/derivations.h"
#include "culvert/portal/device_pools.h"

namespace culvert::portal {
namespace {

using portal_api::DeviceAccessRefusal;
using portal_api::Role;

constexpr log::Logger kLog{"portal"};

/// Of two clients, whoever asks for whom: the one with the lower id leads. Were it the one who asks, a connection that
/// both use would be replaced each time that the other one asks.
struct Pair {
    const Client& leader;
    const Client& follower;
};
Pair pair_of(const Client& a, const Client& b) {
    return a.id < b.id ? Pair{a, b} : Pair{b, a};
}

/// What a client is told of another one.
portal_api::DeviceAccessAuthorized introduction(const Client& other, const Client& receiver) {
    const auto& [leader, follower] = pair_of(other, receiver);
    const auto ice = client_ice_credentials(leader.id, leader.public_key, follower.id, follower.public_key);
    const bool leads = receiver.id == leader.id;
    return {.client_id = other.id,
            .client_name = other.name,
            .client_public_key = other.public_key,
            .client_ipv4 = other.ipv4,
            .client_ipv6 = other.ipv6,
            .preshared_key = client_preshared_key(leader.id, leader.public_key, leader.psk_base, follower.id,
                                                  follower.public_key, follower.psk_base),
            .ice_role = leads ? portal_api::IceRole::kControlling : portal_api::IceRole::kControlled,
            .local_ice_credentials = leads ? ice.leader : ice.follower,
            .remote_ice_credentials = leads ? ice.follower : ice.leader};
}

}  // namespace

SharedPools ControlPlane::visible_pools(const Session& session, UnixSeconds wall_now) {
    return knows_device_pools(session.client().component, session.version)
               ? pools_.usable(directory_, session.client().device.actor, facts_of(session, wall_now), windows_)
               : SharedPools{};
}

// --- Letting clients through ---

ControlPlane::FlowOutcome ControlPlane::try_device_flow(Session& session, const portal_api::CreateFlow& request,
                                                        Instant now, UnixSeconds wall_now) {
    const auto& client = session.client();
    const auto known = client.pools.find(request.resource_id);
    const auto pool = directory_.resources.find(request.resource_id);
    const auto expires_at = session.expires_at.value_or(kNever);
    if (pool == directory_.resources.end() || expires_at <= wall_now) {
        fail_flow(session.id, request.resource_id, portal_api::FlowFailure::kNotFound, now);
        return FlowOutcome::kAnswered;
    }
    const auto grants = grants_of(session, request.resource_id, wall_now);
    if (known == client.pools.end() || grants.empty()) {
        refuse_flow(session, request.resource_id, now, wall_now);
        return FlowOutcome::kAnswered;
    }
    const auto found = find_device(*known->second, request);
    if (!found || found->client_id == client.device.id) {
        deny_device(session.id, request, found ? DeviceAccessRefusal::kForbidden : found.error());
        return FlowOutcome::kAnswered;
    }
    auto* const device = device_session(found->client_id);
    if (device == nullptr) {
        deny_device(session.id, request, DeviceAccessRefusal::kOffline);
        return FlowOutcome::kAnswered;
    }
    if (!can_be_device(device->client().component, device->version) ||
        !are_of_one_generation(session.version, device->version)) {
        deny_device(session.id, request, DeviceAccessRefusal::kVersionMismatch);
        return FlowOutcome::kAnswered;
    }
    std::erase_if(device->asked_by, [&](const auto& owner) { return owner.second.is_full(now); });
    if (!device->asked_by[owner(session.id)].take(kDeviceAskedByOwner, now) || !device->asked.take(kDeviceAsked, now)) {
        ++statistics_.flows_throttled;
        kLog.debug("Dropped a request for access, too many to one device", log::field("rid", request.resource_id));
        // Unless the two are connected, which a refusal would end (spec/newer-dialect.md section 12.1).
        if (!may_signal(client.device.id, found->client_id, wall_now)) {
            deny_device(session.id, request, DeviceAccessRefusal::kOffline);
        }
        return FlowOutcome::kAnswered;
    }
    DeviceFlow flow{.id = FlowId::random(rng_),
                    .client = client.device.id,
                    .device = found->client_id,
                    .resource = request.resource_id,
                    .policy = {},
                    .membership = {},
                    .token = session.token,
                    .client_remote_ip = session.remote_ip,
                    .client_user_agent = session.user_agent,
                    .device_remote_ip = device->remote_ip,
                    .expires_at = expires_at};
    if (!record_flow(grants, device->client().inbound, flow)) {
        return FlowOutcome::kDirectoryIsOutOfDate;
    }
    introduce(session, *device, flow, to_grant(pool->second), wall_now);
    return FlowOutcome::kAnswered;
}

/// The device first: it knows the client before that one's candidates come, since both are queued here in this order.
/// So nobody waits for an answer, and what a device that is gone or does not read would be told is refused before.
void ControlPlane::introduce(const Session& client, const Session& device, const DeviceFlow& flow,
                             portal_api::PoolGrant grant, UnixSeconds wall_now) {
    const auto& initiator = client.client().device;
    const auto& target = device.client().device;
    auto to_device = introduction(initiator, target);
    to_device.resource = std::move(grant);
    to_device.expires_at = flow.expires_at;
    auto to_client = introduction(target, initiator);
    auto claims = ingest_claims(flow, initiator, directory_, wall_now);
    claims.role = portal_api::FlowRole::kResponder;
    to_device.flow_logs_ingest_token = portal_api::sign_ingest_token(claims, ingest_key());
    claims.role = portal_api::FlowRole::kInitiator;
    to_client.flow_logs_ingest_token = portal_api::sign_ingest_token(claims, ingest_key());
    ++statistics_.flows_authorized;
    kLog.debug("Let a client through to a device", log::field("cid", initiator.id), log::field("device", target.id),
               log::field("rid", flow.resource));
    send(device.id, portal_api::ToClient{std::move(to_device)});
    send(client.id, portal_api::ToClient{std::move(to_client)});
}

void ControlPlane::deny_device(SessionId id, const portal_api::CreateFlow& request, DeviceAccessRefusal reason) {
    ++statistics_.flows_failed;
    kLog.debug("Refused access to a device", log::field("rid", request.resource_id),
               log::field("reason", to_string(reason)));
    const auto address = [](const std::optional<std::string>& text) {
        return text ? net::IpAddress::parse(*text) : std::nullopt;
    };
    send(id,
         portal_api::ToClient{portal_api::DeviceAccessDenied{address(request.ipv4), address(request.ipv6), reason}});
}

Session* ControlPlane::device_session(const ClientId& device) {
    const auto sessions = clients_.sessions(device);
    if (sessions.empty()) {
        return nullptr;
    }
    auto& session = sessions_.at(sessions.back());
    return session.is_congested ? nullptr : &session;
}

bool ControlPlane::may_signal(const ClientId& from, const ClientId& to, UnixSeconds wall_now) const {
    const auto lets_in = [&](const ClientId& device, const ClientId& client) {
        return std::ranges::any_of(clients_.sessions(device), [&](SessionId id) {
            return sessions_.at(id).client().inbound.has_any(client, wall_now);
        });
    };
    return lets_in(to, from) || lets_in(from, to);
}

std::vector<ClientId> ControlPlane::signalled(const ClientId& from, const std::vector<ClientId>& named,
                                              UnixSeconds wall_now) const {
    std::vector<ClientId> allowed;
    std::ranges::copy_if(named, std::back_inserter(allowed),
                         [&](const ClientId& to) { return may_signal(from, to, wall_now); });
    return allowed;
}

// --- Joining ---

void ControlPlane::load_inbound(Session& session, UnixSeconds wall_now) {
    auto& client = session.client();
    client.inbound.clear();
    for (const auto& flow : storage_.find_device_flows(client.device.id)) {
        client.inbound.add(flow);
    }
    static_cast<void>(client.inbound.prune(wall_now));
}

bool ControlPlane::is_new_device(const Client& client) const {
    const PoolMember member{client.actor, client.external_id};
    const auto known = directory_.pool_clients.find(member);
    return is_named_by_pool(directory_, member) &&
           (known == directory_.pool_clients.end() || known->second != PoolClient{client.id, client.ipv4, client.ipv6});
}

// --- Changes ---

void ControlPlane::update_pools(Session& session, const std::set<ResourceId>& toggled, UnixSeconds wall_now) {
    auto& state = session.client();
    auto pools = visible_pools(session, wall_now);
    // So that the client asks again, whatever it makes of a device that says no.
    std::erase_if(state.pools, [&](const auto& entry) {
        const bool is_toggled = toggled.contains(entry.first) && pools.contains(entry.first);
        if (is_toggled) {
            send(session.id, portal_api::ToClient{portal_api::ResourceDeleted{entry.first}});
        }
        return is_toggled;
    });
    auto changes = compare(state.pools, pools);
    for (const auto& device : changes.lost_devices) {
        send(session.id, portal_api::ToClient{portal_api::DeviceAccessDenied{
                             device.ipv4, device.ipv6, DeviceAccessRefusal::kForbidden, device.client_id}});
    }
    for (const auto& id : changes.deleted) {
        send(session.id, portal_api::ToClient{portal_api::ResourceDeleted{id}});
    }
    for (auto& pool : changes.updated) {
        send(session.id, portal_api::ToClient{portal_api::DevicePoolCreatedOrUpdated{std::move(pool)}});
    }
    state.pools = std::move(pools);
}

void ControlPlane::reconcile_device_flows(const DirectoryChanges& changes, UnixSeconds now) {
    for (auto& [id, session] : sessions_) {
        if (!session.is_joined || session.role != Role::kClient) {
            continue;
        }
        reconcile_device_flows(session, now, changes.logged_otherwise);
        for (const auto& resource : changes.filters) {
            if (session.client().inbound.has_resource(resource)) {
                send(id, portal_api::ToClient{
                             portal_api::ResourceFiltersUpdated{to_grant(directory_.resources.at(resource))}});
            }
        }
    }
}

/// Takes back what the device was told of flows that are no longer in the database.
void ControlPlane::reconcile_device_flows(Session& session, UnixSeconds now, const std::set<PolicyId>& withdrawn) {
    auto& state = session.client();
    end_expired_devices(session, now);
    if (state.inbound.empty()) {
        return;  // nothing is missing where nothing was granted; that is most clients
    }
    std::set<FlowId> existing;
    for (const auto& flow : storage_.find_device_flows(state.device.id)) {
        existing.insert(flow.id);
    }
    for (const auto& lost : state.inbound.take_missing(existing)) {
        const GrantedDeviceFlows::Pair pair{lost.client, lost.resource};
        if (!state.inbound.contains(pair)) {
            // As with gateways: whether flows are logged stands in the tokens that both ends were given.
            if (const auto renewed = withdrawn.contains(lost.policy) ? std::nullopt : renew(lost, now)) {
                state.inbound.add(*renewed);
            }
        }
        // A device cannot be told of an earlier end: it takes back everything, and the client asks again.
        if (!state.inbound.contains(pair) || state.inbound.longest(pair).expires_at < lost.expires_at) {
            reject_device_access(session.id, lost.client, lost.resource);
        }
    }
}

void ControlPlane::end_expired_devices(Session& device, UnixSeconds now) {
    for (const auto& [client, resource] : device.client().inbound.prune(now)) {
        reject_device_access(device.id, client, resource);
    }
}

void ControlPlane::reject_device_access(SessionId id, const ClientId& client, const ResourceId& resource) {
    ++statistics_.access_rejected;
    kLog.debug("Took back access to a device", log::field("cid", client), log::field("rid", resource));
    send(id, portal_api::ToClient{portal_api::RejectAccess{client, resource}});
}

/// A flow in place of one that was deleted, if another policy lets the client through as well. Without the database
/// nobody can say so, and access ends.
std::optional<DeviceFlow> ControlPlane::renew(const DeviceFlow& lost, UnixSeconds now) {
    try {
        const auto client = storage_.find_client(lost.client);
        if (!client || lost.expires_at <= now) {
            return std::nullopt;
        }
        auto flow = lost;
        flow.id = FlowId::random(rng_);
        for (const auto& grant :
             find_grants(directory_, client->actor, facts_of(*client, now), lost.resource, windows_)) {
            flow.policy = grant.policy;
            flow.membership = grant.membership;
            flow.expires_at = std::min(lost.expires_at, grant.until.value_or(lost.expires_at));
            if (storage_.insert(flow, directory_.policies.at(flow.policy).conditions)) {
                return flow;
            }
        }
    } catch (const StorageError& error) {
        ++statistics_.storage_errors;
        kLog.error("Cannot renew access, so it is taken back", log::field("error", std::string_view{error.what()}));
    }
    return std::nullopt;
}

}  // namespace culvert::portal
