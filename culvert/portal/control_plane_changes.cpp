// Telling connected devices what changed (spec/portal-protocol.md section 12, spec/portal-product.md section 2).

#include <algorithm>
#include <chrono>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/resource_view.h"

namespace culvert::portal {
namespace {

using portal_api::Role;

constexpr log::Logger kLog{"portal"};

}  // namespace

void ControlPlane::handle_changes(Instant now, WallTime wall_now) {
    try {
        apply_changes(now, std::chrono::floor<std::chrono::seconds>(wall_now));
        watch_time_conditions(now, wall_now);
    } catch (...) {
        // What relays are to be told was settled before the failure, and may not wait for whatever comes next.
        send_relay_pushes();
        throw;
    }
    send_relay_pushes();
}

void ControlPlane::apply_changes(Instant now, UnixSeconds wall_now) {
    auto before = std::exchange(directory_, storage_.load_directory());
    pools_.update(directory_);
    windows_.clear();
    const auto changes = compare(before, directory_);
    try {
        close_revoked_sessions(now, wall_now);
        update_turn_users(wall_now);
        // Gateways first: a client that learns of a new address asks for access at once, and that must not be taken
        // back.
        for (auto& [id, session] : sessions_) {
            if (session.is_joined && session.role == Role::kGateway) {
                end_expired(session, wall_now);
                update_gateway(session, changes);
            }
        }
        reconcile_flows(wall_now, changes.logged_otherwise);
        reconcile_device_flows(changes, wall_now);
    } catch (...) {
        // The next call finds the differences again; what was sent already may be sent twice, which does no harm.
        directory_ = std::move(before);
        pools_.update(directory_);
        throw;
    }
    for (auto& [id, session] : sessions_) {
        if (session.is_joined && session.role == Role::kClient) {
            update_client(session, changes, now, wall_now);
        }
    }
}

/// Ends the sessions whose token or device row is gone. Of the others, hears whether the device is verified still.
void ControlPlane::close_revoked_sessions(Instant now, UnixSeconds wall_now) {
    std::vector<SessionId> without_token;
    std::vector<SessionId> without_device;
    for (auto& [id, session] : sessions_) {
        if (!storage_.find_token(session.token)) {
            without_token.push_back(id);
        } else if (session.role == Role::kClient) {
            if (const auto row = storage_.find_client(session.client().device.id)) {
                auto facts = facts_of(session, wall_now);
                facts.is_verified = row->verified_at.has_value();
                if (session.client().device.verified_at && !facts.is_verified) {
                    withdraw_flows(*row, facts);  // also those that were granted since
                }
                session.client().device.verified_at = row->verified_at;
            } else {
                without_device.push_back(id);
            }
        } else if ((session.role == Role::kGateway && !storage_.has_gateway(session.gateway().device.id)) ||
                   (session.role == Role::kRelay && !storage_.has_relay(session.relay().device.id))) {
            without_device.push_back(id);
        }
    }
    for (const auto id : without_token) {
        tell_token_expired(id);
        close_revoked(id, "token revoked", now, wall_now);
    }
    for (const auto id : without_device) {
        end_channel(id, portal_api::to_topic(sessions_.at(id).role));
        close_revoked(id, "device deleted or revoked", now, wall_now);
    }
}

/// Ends a session that was taken from its device, and sees to it that nobody stays with the device.
void ControlPlane::close_revoked(SessionId id, const std::string& reason, Instant now, UnixSeconds wall_now) {
    auto& session = sessions_.at(id);
    if (session.role != Role::kGateway) {
        return close(id, reason, now);
    }
    const auto gateway = session.gateway().device.id;
    const auto authorizations = session.gateway().flows.authorizations();
    close(id, reason, now);
    if (gateways_.sessions(gateway).empty()) {
        for (const auto& authorization : authorizations) {
            release_client(authorization.client_id, authorization.resource_id, wall_now);
        }
    }
}

/// Makes the client leave the gateway that serves the resource to it, and ask for another: a gateway that has fallen
/// into wrong hands will not hang up by itself.
void ControlPlane::release_client(const ClientId& client, const ResourceId& resource, UnixSeconds wall_now) {
    for (const auto id : clients_.sessions(client)) {
        auto& session = sessions_.at(id);
        const auto known = session.client().resources.find(resource);
        const auto visible = visible_resources(session, wall_now);
        if (known != session.client().resources.end() && visible.contains(resource)) {
            send(id, portal_api::ToClient{portal_api::ResourceDeleted{resource}});
            send(id, portal_api::ToClient{portal_api::ResourceCreatedOrUpdated{known->second}});
        }
    }
}

void ControlPlane::update_client(Session& session, const DirectoryChanges& changes, Instant now, UnixSeconds wall_now) {
    auto& state = session.client();
    if (changes.flow_logs) {
        send_client_init(session, relays_.relays_of(session.id));  // with the resources that it knows
    }
    if (changes.dns) {
        send(session.id, portal_api::ToClient{portal_api::ConfigChanged{client_interface(state.device)}});
    }
    auto resources = visible_resources(session, wall_now);
    std::vector<portal_api::ClientResource> updated;
    for (const auto& [resource_id, resource] : resources) {
        const auto known = state.resources.find(resource_id);
        const bool is_known = known != state.resources.end();
        const bool must_toggle =
            changes.toggled.contains(resource_id) ||
            (changes.in_renamed_site.contains(resource_id) && !handles_site_changes(state.component, session.version));
        if (is_known && must_toggle) {
            send(session.id, portal_api::ToClient{portal_api::ResourceDeleted{resource_id}});
        }
        if (!is_known || must_toggle || known->second != resource) {
            updated.push_back(resource);
        }
    }
    for (const auto& [resource_id, resource] : state.resources) {
        if (!resources.contains(resource_id)) {
            pending_.settle({state.device.id, resource_id}, now);
            send(session.id, portal_api::ToClient{portal_api::ResourceDeleted{resource_id}});
        }
    }
    for (auto& resource : updated) {
        send(session.id, portal_api::ToClient{portal_api::ResourceCreatedOrUpdated{std::move(resource)}});
    }
    state.resources = std::move(resources);
    update_pools(session, changes.toggled, wall_now);
}

void ControlPlane::update_gateway(Session& session, const DirectoryChanges& changes) {
    auto& state = session.gateway();
    for (const auto& resource_id : changes.destination) {
        for (const auto& [client, resource] : state.flows.take(resource_id)) {
            reject_access(session.id, client, resource);
        }
    }
    for (const auto& resource_id : changes.filters) {
        const auto& resource = directory_.resources.at(resource_id);
        if (auto adapted = to_gateway(resource, session.version)) {
            send(session.id, portal_api::ToGateway{portal_api::ResourceUpdated{*std::move(adapted)}});
        }
    }
    if (changes.slug || changes.flow_logs) {
        send_init(session, relays_.relays_of(session.id));
    }
}

/// A gateway ends by itself what has expired, but by its own clock, which may be slow.
void ControlPlane::end_expired(Session& gateway, UnixSeconds now) {
    for (const auto& [client, resource] : gateway.gateway().flows.prune(now)) {
        reject_access(gateway.id, client, resource);
    }
}

void ControlPlane::reconcile_flows(UnixSeconds now, const std::set<PolicyId>& withdrawn) {
    for (auto& [id, session] : sessions_) {
        if (session.is_joined && session.role == Role::kGateway) {
            reconcile_flows(session, now, withdrawn);
        }
    }
}

/// Takes back what the gateway was allowed by flows that are no longer in the database.
void ControlPlane::reconcile_flows(Session& session, UnixSeconds now, const std::set<PolicyId>& withdrawn) {
    auto& state = session.gateway();
    std::set<FlowId> existing;
    for (const auto& flow : storage_.find_flows(state.device.id)) {
        existing.insert(flow.id);
    }
    end_expired(session, now);
    bool must_list_all = false;
    for (const auto& lost : state.flows.take_missing(existing)) {
        if (!state.flows.contains({lost.client, lost.resource})) {
            // Whether flows are logged stands in the tokens that both ends were given, so they have to get others.
            const auto renewed = withdrawn.contains(lost.policy) ? std::nullopt : try_renew(lost, state.device, now);
            if (!renewed) {
                reject_access(session.id, lost.client, lost.resource);
                continue;
            }
            state.flows.add(*renewed);
        }
        must_list_all = !tell_expiry(session, state.flows.longest({lost.client, lost.resource}), now) || must_list_all;
    }
    if (must_list_all) {
        send_init(session, relays_.relays_of(session.id));
    }
}

/// Until when access lasts, now that it rests on `flow`. A gateway that does not take the date alone is told to let the
/// client through once more, of which the client need not hear: it has the same secrets. False if that is not worth a
/// message of its own, because the client is not here: a list of everything says it as well. Asks the database nothing,
/// so that nothing comes between what was found missing and the gateway that has to hear of it.
bool ControlPlane::tell_expiry(Session& session, const Flow& flow, UnixSeconds now) {
    if (handles_expiry_updates(session.version)) {
        send(session.id, portal_api::ToGateway{portal_api::AccessAuthorizationExpiryUpdated{flow.client, flow.resource,
                                                                                            flow.expires_at}});
        return true;
    }
    const auto clients = clients_.sessions(flow.client);
    const auto resource = directory_.resources.find(flow.resource);
    const auto adapted =
        resource == directory_.resources.end() ? std::nullopt : to_gateway(resource->second, session.version);
    if (clients.empty() || !adapted) {
        return false;
    }
    const FlowEnds ends{flow, sessions_.at(clients.back()).client().device, session.gateway().device};
    auto message = authorize_flow(ends, *adapted, directory_);
    message.ref = kUnaskedRef;
    message.flow_logs_ingest_token = ingest_token(ends, portal_api::FlowRole::kResponder, now);
    send(session.id, portal_api::ToGateway{std::move(message)});
    return true;
}

/// Without the database nobody can say that access may go on, so it ends, and the client has to ask again. Those of
/// 2026 do not if a gateway refuses, so they are told.
std::optional<Flow> ControlPlane::try_renew(const Flow& lost, const Gateway& gateway, UnixSeconds now) {
    try {
        return renew(lost, gateway, now);
    } catch (const StorageError& error) {
        ++statistics_.storage_errors;
        kLog.error("Cannot renew access, so it is taken back", log::field("error", std::string_view{error.what()}));
        release_client(lost.client, lost.resource, now);
        return std::nullopt;
    }
}

/// A flow in place of one that was deleted, if another policy lets the client through as well.
std::optional<Flow> ControlPlane::renew(const Flow& lost, const Gateway& gateway, UnixSeconds now) {
    const auto client = storage_.find_client(lost.client);
    const auto resource = directory_.resources.find(lost.resource);
    if (!client || resource == directory_.resources.end() || lost.expires_at <= now ||
        std::ranges::count(resource->second.sites, gateway.site) == 0) {
        return std::nullopt;
    }
    auto flow = lost;
    flow.id = FlowId::random(rng_);
    for (const auto& grant : find_grants(directory_, client->actor, facts_of(*client, now), lost.resource, windows_)) {
        flow.policy = grant.policy;
        flow.membership = grant.membership;
        flow.expires_at = std::min(lost.expires_at, grant.until.value_or(lost.expires_at));
        if (storage_.insert(flow, directory_.policies.at(flow.policy).conditions)) {
            return flow;
        }
    }
    return std::nullopt;
}

void ControlPlane::reject_access(SessionId id, const ClientId& client, const ResourceId& resource) {
    ++statistics_.access_rejected;
    kLog.debug("Took back access", log::field("cid", client), log::field("rid", resource));
    send(id, portal_api::ToGateway{portal_api::RejectAccess{client, resource}});
}

}  // namespace culvert::portal
