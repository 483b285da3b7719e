// Letting clients through to resources, and passing on their candidates (spec/portal-protocol.md section 11).

#include <algorithm>
#include <iterator>
#include <set>
#include <span>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/resource_view.h"

namespace culvert::portal {
namespace {

constexpr log::Logger kLog{"portal"};

}  // namespace

void ControlPlane::handle_message(Session& session, const portal_api::Ref&, const portal_api::FromClient& message,
                                  Instant now, UnixSeconds wall_now) {
    const auto id = session.id;  // the session itself may end while a flow is created
    const auto client = session.client().device.id;
    std::visit(
        overloaded{
            [&](const portal_api::CreateFlow& request) {
                // A client that is cut off while the database fails could not come back. It keeps what it has,
                // and asks again; unless it was cut off before the failure, because its token is gone.
                try {
                    create_flow(session, request, now, wall_now);
                } catch (const StorageError& error) {
                    report("Cannot let a client through", error, now);
                    if (sessions_.contains(id)) {
                        fail_flow(id, request.resource_id, portal_api::FlowFailure::kOffline, now);
                    }
                }
            },
            [&](const portal_api::BroadcastGatewayIceCandidates& m) {
                forward(session, gateways_, m.gateway_ids, m.candidates, now, [&](auto candidates) {
                    return portal_api::ToGateway{portal_api::ClientIceCandidates{client, std::move(candidates)}};
                });
            },
            [&](const portal_api::BroadcastClientIceCandidates& m) {
                forward(session, clients_, signalled(client, m.client_ids, wall_now), m.candidates, now,
                        [&](auto candidates) {
                            return portal_api::ToClient{portal_api::ClientIceCandidates{client, std::move(candidates)}};
                        });
            },
            [&](const portal_api::BroadcastInvalidatedClientIceCandidates& m) {
                forward(session, clients_, signalled(client, m.client_ids, wall_now), m.candidates, now,
                        [&](auto candidates) {
                            return portal_api::ToClient{
                                portal_api::InvalidateClientIceCandidates{client, std::move(candidates)}};
                        });
            },
            [&](const portal_api::BroadcastInvalidatedGatewayIceCandidates& m) {
                forward(session, gateways_, m.gateway_ids, m.candidates, now, [&](auto candidates) {
                    return portal_api::ToGateway{
                        portal_api::InvalidateClientIceCandidates{client, std::move(candidates)}};
                });
            },
            [&](const portal_api::NoRelays&) { name_relays(session, now); },
            // Whether a device can do without ICE makes no difference: none is told to.
            [&](const portal_api::SnownetCapabilities&) {},
        },
        message);
}

void ControlPlane::handle_message(Session& session, const portal_api::Ref& ref, const portal_api::FromGateway& message,
                                  Instant now, UnixSeconds wall_now) {
    const auto& gateway = session.gateway().device.id;
    std::visit(
        overloaded{
            [&](const portal_api::FlowAuthorized& m) { flow_authorized(session, ref, m.ref, now); },
            [&](const portal_api::BroadcastClientIceCandidates& m) {
                held_.add_candidates(m.client_ids, gateway, m.candidates, now);
                forward(
                    session, clients_, m.client_ids, m.candidates, now,
                    [&](auto candidates) {
                        return portal_api::ToClient{portal_api::GatewayIceCandidates{gateway, std::move(candidates)}};
                    },
                    [&](const ClientId& client, auto candidates) {
                        if (session.gateway().flows.has_any(client, wall_now)) {
                            signalled_candidates_.add(session.gateway().device, client, candidates);
                        }
                    });
            },
            [&](const portal_api::BroadcastInvalidatedClientIceCandidates& m) {
                held_.remove_candidates(m.client_ids, gateway, m.candidates);
                forward(
                    session, clients_, m.client_ids, m.candidates, now,
                    [&](auto candidates) {
                        return portal_api::ToClient{
                            portal_api::InvalidateGatewayIceCandidates{gateway, std::move(candidates)}};
                    },
                    [&](const ClientId& client, auto candidates) {
                        signalled_candidates_.remove(session.gateway().device, client, candidates);
                    });
            },
            [&](const portal_api::NoRelays&) { name_relays(session, now); },
            [&](const portal_api::SnownetCapabilities&) {},
        },
        message);
}

/// A grant that the database refuses was taken away a moment ago, and what took its place is not known here yet: a
/// policy that replaces another must not cost the client an answer that it would have to ask for again.
void ControlPlane::create_flow(Session& session, const portal_api::CreateFlow& request, Instant now,
                               UnixSeconds wall_now) {
    if (!session.flows.take(kFlows, now) || !owner_of(session).flows.take(kOwnerFlows, now)) {
        // Unanswered, as if the gateway had not answered: devices ask again when there is traffic.
        ++statistics_.flows_throttled;
        kLog.debug("Dropped a request for access, too many of one client or owner",
                   log::field("rid", request.resource_id));
        return;
    }
    const auto id = session.id;
    if (try_flow(session, request, now, wall_now) == FlowOutcome::kAnswered) {
        return;
    }
    handle_changes(now, wall_now);
    const auto still = sessions_.find(id);  // its token may have gone as well
    if (still != sessions_.end() &&
        try_flow(still->second, request, now, wall_now) == FlowOutcome::kDirectoryIsOutOfDate) {
        fail_flow(id, request.resource_id, portal_api::FlowFailure::kNotFound, now);
    }
}

ControlPlane::FlowOutcome ControlPlane::try_flow(Session& session, const portal_api::CreateFlow& request, Instant now,
                                                 UnixSeconds wall_now) {
    const auto& client = session.client();
    const auto resource = directory_.resources.find(request.resource_id);
    if (resource != directory_.resources.end() && resource->second.type == ResourceType::kStaticDevicePool) {
        return try_device_flow(session, request, now, wall_now);
    }
    if (resource == directory_.resources.end()) {
        fail_flow(session.id, request.resource_id, portal_api::FlowFailure::kNotFound, now);
        return FlowOutcome::kAnswered;
    }
    const auto grants = grants_of(session, request.resource_id, wall_now);
    if (!client.resources.contains(request.resource_id) || grants.empty()) {
        refuse_flow(session, request.resource_id, now, wall_now);
        return FlowOutcome::kAnswered;
    }
    const auto chosen = choose_gateway(session, resource->second, request.connected_gateway_ids);
    if (!chosen) {
        fail_flow(session.id, request.resource_id, chosen.error(), now);
        return FlowOutcome::kAnswered;
    }
    auto* const gateway = *chosen;
    if (!gateway->asked.take(kAsked, now)) {
        ++statistics_.flows_throttled;
        kLog.debug("Dropped a request for access, too many to one gateway", log::field("rid", request.resource_id));
        wait_for_nobody(client.device, gateway->gateway().device.id, request.resource_id, now);
        return FlowOutcome::kAnswered;
    }
    Flow flow{.id = FlowId::random(rng_),
              .client = client.device.id,
              .gateway = gateway->gateway().device.id,
              .resource = request.resource_id,
              .policy = {},
              .membership = {},
              .token = session.token,
              .client_remote_ip = session.remote_ip,
              .client_user_agent = session.user_agent,
              .gateway_remote_ip = gateway->remote_ip,
              .expires_at = session.expires_at.value_or(kNever)};
    const auto adapted = to_gateway(resource->second, gateway->version);
    if (flow.expires_at <= wall_now || !adapted) {
        fail_flow(session.id, request.resource_id, portal_api::FlowFailure::kNotFound, now);
        return FlowOutcome::kAnswered;
    }
    if (!record_flow(grants, gateway->gateway().flows, flow)) {
        return FlowOutcome::kDirectoryIsOutOfDate;
    }
    ask_gateway(session, *gateway, flow, *adapted, now, wall_now);
    return FlowOutcome::kAnswered;
}

template <typename AnyFlow>
bool ControlPlane::record_flow(const std::vector<Grant>& grants, BasicGrantedFlows<AnyFlow>& known, AnyFlow& flow) {
    const auto token_ends = flow.expires_at;
    for (const auto& grant : grants) {
        flow.policy = grant.policy;
        flow.membership = grant.membership;
        flow.expires_at = std::min(token_ends, grant.until.value_or(token_ends));
        // A client asks again for as long as nobody answers; that need not fill the database.
        if (const auto equal = known.find_equal(flow)) {
            flow.id = *equal;
            return true;
        }
        if (storage_.insert(flow, directory_.policies.at(flow.policy).conditions)) {
            known.add(flow);
            return true;
        }
    }
    return false;
}

template bool ControlPlane::record_flow(const std::vector<Grant>&, GrantedFlows&, Flow&);
template bool ControlPlane::record_flow(const std::vector<Grant>&, GrantedDeviceFlows&, DeviceFlow&);

std::expected<Session*, portal_api::FlowFailure> ControlPlane::choose_gateway(const Session& client,
                                                                              const Resource& resource,
                                                                              const std::vector<GatewayId>& connected) {
    bool has_other_version = false;
    bool has_congested = false;
    const std::set<GatewayId> connected_ids{connected.begin(), connected.end()};
    std::vector<Session*> suitable;
    std::vector<Session*> connected_already;
    for (const auto& [gateway_id, sessions] : gateways_.all()) {
        auto& session = sessions_.at(sessions.back());
        if (std::ranges::count(resource.sites, session.gateway().device.site) == 0) {
            continue;
        }
        if (!are_compatible(client.version, session.version) || !to_gateway(resource, session.version)) {
            has_other_version = true;
            continue;
        }
        if (session.is_congested) {
            has_congested = true;
            continue;
        }
        suitable.push_back(&session);
        // A client that has a connection to a suitable gateway must not be sent to another one.
        if (connected_ids.contains(gateway_id)) {
            connected_already.push_back(&session);
        }
    }
    const auto& choices = connected_already.empty() ? suitable : connected_already;
    if (choices.empty()) {
        return std::unexpected{has_other_version && !has_congested ? portal_api::FlowFailure::kVersionMismatch
                                                                   : portal_api::FlowFailure::kOffline};
    }
    return choices[rng_.below(choices.size())];
}

void ControlPlane::ask_gateway(const Session& client_session, Session& gateway_session, const Flow& flow,
                               const portal_api::GatewayResource& resource, Instant now, UnixSeconds wall_now) {
    const FlowEnds ends{flow, client_session.client().device, gateway_session.gateway().device};
    auto answer = flow_created(ends);
    answer.flow_logs_ingest_token = ingest_token(ends, portal_api::FlowRole::kInitiator, wall_now);
    auto message = authorize_flow(ends, resource, directory_);
    message.flow_logs_ingest_token = ingest_token(ends, portal_api::FlowRole::kResponder, wall_now);
    message.ref = pending_.add({.client = ends.client.id,
                                .client_key = ends.client.public_key,
                                .gateway = ends.gateway.id,
                                .answer = std::move(answer)},
                               now, rng_);
    watch_unanswered();
    ++statistics_.flows_authorized;
    kLog.debug("Asked a gateway to let a client through", log::field("cid", ends.client.id),
               log::field("gid", ends.gateway.id), log::field("rid", flow.resource));
    send(gateway_session.id, portal_api::ToGateway{std::move(message)});
}

/// As if the gateway had been asked and did not answer: the client is told, unless another request of it for the same
/// is answered in time.
void ControlPlane::wait_for_nobody(const Client& client, const GatewayId& gateway, const ResourceId& resource,
                                   Instant now) {
    portal_api::FlowCreated answer;
    answer.resource_id = resource;
    static_cast<void>(pending_.add(
        {.client = client.id, .client_key = client.public_key, .gateway = gateway, .answer = std::move(answer)}, now,
        rng_));
    watch_unanswered();
}

/// Devices that lost their last allocation wait for this, and do not reconnect (spec/newer-dialect.md section 7.3).
void ControlPlane::name_relays(Session& session, Instant now) {
    if (!session.relay_requests.take(kRelayRequests, now)) {
        return;
    }
    portal_api::RelaysPresence presence{.disconnected_ids = {}, .connected = relays_.relays_of(session.id)};
    if (session.role == portal_api::Role::kClient) {
        send(session.id, portal_api::ToClient{std::move(presence)});
    } else {
        send(session.id, portal_api::ToGateway{std::move(presence)});
    }
}

void ControlPlane::flow_authorized(Session& session, const portal_api::Ref& ref, const std::string& flow_ref,
                                   Instant now) {
    if (flow_ref == kUnaskedRef) {
        return reply_ok(session.id, portal_api::to_topic(session.role), ref);
    }
    auto pending = pending_.take(flow_ref, session.gateway().device.id, now);
    watch_unanswered();
    if (!pending && pending.error() == PendingAuthorizations::NotPending::kUnknown) {
        reply_error(session.id, portal_api::to_topic(session.role), ref, "invalid_ref");
        return;
    }
    reply_ok(session.id, portal_api::to_topic(session.role), ref);
    if (!pending) {
        return;
    }
    // The client may have connected again meanwhile, but with another key it will ask again.
    const auto sessions = clients_.sessions(pending->client);
    if (sessions.empty()) {
        held_.hold(pending->client, pending->client_key, std::move(pending->answer), pending->deadline, now);
    } else if (sessions_.at(sessions.back()).client().device.public_key == pending->client_key) {
        send(sessions.back(), portal_api::ToClient{std::move(pending->answer)});
    }
}

/// A client that was away for a moment is told what it missed, if that still holds.
void ControlPlane::tell_held_answers(Session& session, Instant now) {
    const auto& client = session.client();
    auto held = held_.take(client.device.id, client.device.public_key, now);
    for (auto& answer : held.answers) {
        const auto gateways = gateways_.sessions(answer.gateway_id);
        if (gateways.empty() || !client.resources.contains(answer.resource_id)) {
            continue;
        }
        const auto& gateway = sessions_.at(gateways.back()).gateway();
        if (gateway.device.public_key == answer.gateway_public_key &&
            gateway.flows.contains({client.device.id, answer.resource_id})) {
            const auto id = answer.gateway_id;
            send(session.id, portal_api::ToClient{std::move(answer)});
            if (auto candidates = held.candidates.extract(id)) {
                send(session.id,
                     portal_api::ToClient{portal_api::GatewayIceCandidates{id, std::move(candidates.mapped())}});
            }
        }
    }
}

void ControlPlane::fail_unanswered(Instant now) {
    while (const auto request = pending_.take_unanswered(now)) {
        const auto sessions = clients_.sessions(request->client);
        // With another key it has not asked yet.
        if (!sessions.empty() && sessions_.at(sessions.back()).client().device.public_key == request->client_key) {
            fail_flow(sessions.back(), request->resource, portal_api::FlowFailure::kOffline, now);
        }
    }
    watch_unanswered();
}

/// What it asked before for the same has its answer as well.
void ControlPlane::fail_flow(SessionId id, const ResourceId& resource, portal_api::FlowFailure reason, Instant now,
                             std::vector<std::string> violated) {
    pending_.settle({sessions_.at(id).client().device.id, resource}, now);
    watch_unanswered();
    ++statistics_.flows_failed;
    kLog.debug("Refused a flow", log::field("rid", resource), log::field("reason", to_string(reason)));
    send(id, portal_api::ToClient{portal_api::FlowCreationFailed{resource, reason, std::move(violated)}});
}

/// To the same account by construction; whether a flow exists is not checked.
template <typename DeviceId, typename Message, typename OnForwarded>
void ControlPlane::forward(Session& sender, const Presence<DeviceId>& presence, const std::vector<DeviceId>& devices,
                           const std::vector<std::string>& named, Instant now, const Message& message,
                           const OnForwarded& on_forwarded) {
    const std::set<DeviceId> receivers{devices.begin(), devices.end()};
    std::vector<std::string> candidates;
    std::ranges::copy_if(named, std::back_inserter(candidates),
                         [](const std::string& each) { return each.size() <= kMaxCandidateLength; });
    if (candidates.size() < named.size()) {
        kLog.debug("Dropped candidates, too long", log::field("dropped", named.size() - candidates.size()));
    }
    std::size_t budget = kMaxReceivers;
    for (const auto& device : receivers) {
        const auto sessions = presence.sessions(device);
        if (sessions.empty()) {
            continue;
        }
        const auto granted = sender.candidates.take(device.uuid(), candidates.size(), now);
        if (granted < candidates.size()) {
            kLog.debug("Dropped candidates, too many for one peer", log::field("dropped", candidates.size() - granted));
        }
        if (granted == 0) {
            continue;
        }
        const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(granted);
        const auto passed_on = message(std::vector<std::string>{candidates.begin(), end});
        for (const auto session : sessions) {
            if (budget-- == 0) {
                return;
            }
            if (sessions_.at(session).is_congested) {
                kLog.debug("Dropped candidates for a device that does not read");
                continue;
            }
            send(session, passed_on);
        }
        on_forwarded(device, std::span{candidates}.first(granted));
    }
}

}  // namespace culvert::portal
