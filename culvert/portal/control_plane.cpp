#include "culvert/portal/control_plane.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/derivations.h"
#include "culvert/portal/device_pools.h"
#include "culvert/portal/resource_view.h"

namespace culvert::portal {
namespace {

using portal_api::Role;
using portal_api::to_topic;

constexpr log::Logger kLog{"portal"};

constexpr std::uint16_t kDnsPort = 53;

UnixSeconds to_seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time);
}

}  // namespace

ControlPlane::ControlPlane(Storage& storage, const Rng& rng, Instant now, const Limits& limits)
    : storage_{storage},
      rng_{rng.child("core")},
      limits_{limits},
      keys_{storage.token_keys()},
      directory_{storage.load_directory()},
      pools_{directory_},
      relays_{rng.child("relays")} {
    due_.set(Due::kTokenReap, now + kTokenReapInterval);
    due_.set(Due::kDeviceReap, now + kDeviceReapInterval);
    due_.set(Due::kHousekeeping, now + kHousekeepingInterval);
    if (has_time_conditions(directory_)) {
        due_.set(Due::kTimeConditions, now);  // what time it is, nobody has said yet
    }
}

std::expected<SessionId, Refusal> ControlPlane::connect(const ConnectRequest& request, Instant now, WallTime wall_now,
                                                        const std::function<bool(const Uuid& owner)>& is_crowded) {
    std::expected<Registration, Refusal> registration = std::unexpected{Refusal{}};
    try {
        registration = register_device(
            request, keys_, storage_, rng_, to_seconds(wall_now),
            {.max_devices = limits_.devices_per_owner, .keys_kept_since = to_seconds(wall_now) - kPublicKeyKept},
            [&](const Token& token, const std::optional<Applicant>& applicant) {
                return admit(token, applicant, now, is_crowded);
            });
    } catch (const StorageError& error) {
        report("Cannot register a device", error, now);
        registration = std::unexpected{storage_failure()};
    }
    if (!registration) {
        ++statistics_.connects_refused;
        kLog.debug("Refused a connection", log::field("role", to_topic(request.role)),
                   log::field("status", registration.error().status), log::field("code", registration.error().code),
                   log::field("reason", registration.error().text));
        return std::unexpected{std::move(registration).error()};
    }

    const SessionId id{++last_session_};
    auto& session = sessions_[id];
    session.id = id;
    if (registration->expires_at) {
        session.ends_at = now + (*registration->expires_at - wall_now);
        endings_.emplace(*session.ends_at, id);
    }
    session.role = request.role;
    session.dialect = request.dialect;
    session.token = registration->token;
    ++sessions_of_token_[session.token];
    session.recorded_at = now;
    session.identity = registration->identity;
    session.turn_expires_at = turn_expiry(request.role, to_seconds(wall_now), registration->expires_at);
    session.expires_at = registration->expires_at;
    session.user_agent = registration->user_agent;
    session.remote_ip = registration->remote_ip;
    session.version = registration->version;
    std::visit(overloaded{
                   [&](Client& client) {
                       const auto actor = directory_.actors.find(client.actor);
                       const bool is_service =
                           actor != directory_.actors.end() && actor->second.type == ActorType::kServiceAccount;
                       session.state =
                           ConnectedClient{std::move(client), client_component(request.user_agent, is_service), {}};
                   },
                   [&](Gateway& gateway) { session.state = ConnectedGateway{std::move(gateway), {}}; },
                   [&](RelayServer& relay) { session.state = ConnectedRelay{std::move(relay)}; },
               },
               registration->device);
    try {
        lift_revocation(session, to_seconds(wall_now));
    } catch (const StorageError& error) {
        report("Cannot register a device", error, now);
        disconnect(id, now);
        ++statistics_.connects_refused;
        return std::unexpected{storage_failure()};
    }
    return id;
}

Duration ControlPlane::handle_frame(SessionId id, std::string_view text, Instant now, WallTime wall_now) {
    const auto session = sessions_.find(id);
    if (session == sessions_.end()) {
        return {};
    }
    ++statistics_.frames_received;
    const auto pause = charge_frame(session->second, text.size(), now);
    if (session->second.identity) {
        claims_.heard(*session->second.identity, id, now);
    }
    const auto frame = portal_api::decode_from_device(session->second.role, session->second.dialect, text);
    if (!frame) {
        kLog.debug("Closed a connection that sent an undecodable frame", log::field("reason", frame.error().text));
        close(id, "undecodable frame", now);
        return {};
    }
    try {
        std::visit([&](const auto& decoded) { handle(session->second, decoded, now, wall_now); }, *frame);
    } catch (const StorageError& error) {
        report("Cannot serve a device", error, now);
        close(id, "storage failure", now);
    }
    send_relay_pushes();
    return pause;
}

void ControlPlane::disconnect(SessionId id, Instant now) {
    const auto session = sessions_.find(id);
    if (session == sessions_.end()) {
        return;
    }
    leave(session->second, now);
    if (session->second.ends_at) {
        endings_.erase({*session->second.ends_at, id});
    }
    if (const auto count = sessions_of_token_.find(session->second.token); --count->second == 0) {
        sessions_of_token_.erase(count);
    }
    sessions_.erase(session);
    send_relay_pushes();
}

void ControlPlane::handle_timeout(Instant now, WallTime wall_now) {
    relays_.handle_timeout(now);
    send_relay_pushes();
    while (!endings_.empty() && endings_.begin()->first <= now) {
        const auto id = endings_.begin()->second;
        tell_token_expired(id);
        close(id, "token expired", now);
    }
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kUnanswered:
                return fail_unanswered(now);
            case Due::kTimeConditions:
                return time_has_come(now, wall_now);
            case Due::kTokenReap:
                return reap_tokens(now, to_seconds(wall_now));
            case Due::kDeviceReap:
                return reap_devices(now, to_seconds(wall_now));
            case Due::kHousekeeping:
                return keep_house(now, wall_now);
        }
    });
}

std::optional<Instant> ControlPlane::poll_timeout() const {
    const auto next_ending = endings_.empty() ? std::nullopt : std::optional{endings_.begin()->first};
    return earliest(due_.next(), relays_.poll_timeout(), next_ending);
}

std::optional<Output> ControlPlane::poll_output() {
    if (outputs_.empty()) {
        return std::nullopt;
    }
    auto next = std::move(outputs_.front());
    outputs_.pop_front();
    return next;
}

Statistics ControlPlane::statistics() const {
    auto statistics = statistics_;
    statistics.clients_online = clients_.device_count();
    statistics.gateways_online = gateways_.device_count();
    statistics.relays_online = relays_.online_count();
    statistics.pending_authorizations = pending_.size();
    return statistics;
}

void ControlPlane::handle(Session& session, const portal_api::JoinFrame& frame, Instant now, WallTime wall_now) {
    if (frame.topic != to_topic(session.role)) {
        reply_error(session.id, frame.topic, frame.ref, "unmatched topic");
        return;
    }
    if (session.role == Role::kRelay && !frame.stamp_secret) {
        reply_error(session.id, frame.topic, frame.ref, "join crashed");
        return;
    }
    if (!session.joins.take(kJoins, now) || !owner_of(session).joins.take(kOwnerJoins, now)) {
        kLog.debug("Closed a connection that joins over and over");
        return close(session.id, "too many joins", now);
    }
    if (session.is_joined) {
        leave(session, now);
        end_channel(session.id, frame.topic);
    }
    reply_ok(session.id, frame.topic, frame.ref);

    session.is_joined = true;
    switch (session.role) {
        case Role::kClient:
            join_client(session, now, to_seconds(wall_now));
            break;
        case Role::kGateway:
            join_gateway(session, now, to_seconds(wall_now));
            break;
        case Role::kRelay:
            if (frame.takes_turn_users) {
                update_turn_users(to_seconds(wall_now));  // a portal that has just started knows of none yet
            }
            send(session.id, portal_api::ToRelay{portal_api::RelayInit{}});
            if (frame.takes_turn_users) {
                turn_users_.relay_joined(session.id);
            }
            relays_.relay_joined(session.id, session.relay().device, *frame.stamp_secret, frame.takes_turn_users);
            kLog.info("Relay joined", log::field("relay", session.relay().device.id));
            break;
    }
}

void ControlPlane::handle(Session& session, const portal_api::LeaveFrame& frame, Instant now, WallTime) {
    if (!session.is_joined || frame.topic != to_topic(session.role)) {
        reply_error(session.id, frame.topic, frame.ref, "unmatched topic");
        return;
    }
    leave(session, now);
    reply_ok(session.id, frame.topic, frame.ref);
    end_channel(session.id, frame.topic);
}

void ControlPlane::handle(Session& session, const portal_api::HeartbeatFrame& frame, Instant, WallTime) {
    reply_ok(session.id, "phoenix", frame.ref);
}

void ControlPlane::handle(Session& session, const portal_api::DeviceMessageFrame& frame, Instant now,
                          WallTime wall_now) {
    if (!session.is_joined || frame.topic != to_topic(session.role)) {
        reply_error(session.id, frame.topic, frame.ref, "unmatched topic");
        return;
    }
    std::visit([&](const auto& message) { handle_message(session, frame.ref, message, now, to_seconds(wall_now)); },
               frame.message);
}

void ControlPlane::handle(Session& session, const portal_api::UnknownFrame& frame, Instant, WallTime) {
    const bool is_matched = session.is_joined && frame.topic == to_topic(session.role);
    kLog.debug("Received an unknown message", log::field("event", frame.event), log::field("reason", frame.why));
    reply_error(session.id, frame.topic, frame.ref, is_matched ? "unknown_message" : "unmatched topic");
}

void ControlPlane::join_client(Session& session, Instant now, UnixSeconds wall_now) {
    auto& state = session.client();
    claim_device(session, state.device.public_key, now);
    state.resources = visible_resources(session, wall_now);
    state.pools = visible_pools(session, wall_now);
    load_inbound(session, wall_now);
    auto relays = give_relays(session, state.device.public_key, wall_now);
    clients_.add(state.device.id, session.id);
    const bool lost_access = withdraw_flows(state.device, facts_of(session, wall_now));
    send_client_init(session, std::move(relays));
    kLog.info("Client joined", log::field("cid", state.device.id));
    if (lost_access) {
        reconcile_flows(wall_now);
        reconcile_device_flows({}, wall_now);
    }
    tell_held_answers(session, now);
    if (is_new_device(state.device)) {
        handle_changes(now, wall_now);  // who may use its pools learns of it; may end this session
    }
}

void ControlPlane::join_gateway(Session& session, Instant now, UnixSeconds wall_now) {
    auto& state = session.gateway();
    claim_device(session, state.device.public_key, now);
    state.flows.clear();
    for (const auto& flow : storage_.find_flows(state.device.id)) {
        state.flows.add(flow);
    }
    static_cast<void>(state.flows.prune(wall_now));

    gateways_.add(state.device.id, session.id);
    send_init(session, give_relays(session, state.device.public_key, wall_now));
    kLog.info("Gateway joined", log::field("gid", state.device.id));
    withdraw_candidates(state.device);
}

/// With another key it is another process, which knows of no connection.
void ControlPlane::withdraw_candidates(const Gateway& gateway) {
    for (const auto& [client, candidates] : signalled_candidates_.start(gateway)) {
        for (const auto session : clients_.sessions(client)) {
            if (!candidates.empty() && !sessions_.at(session).is_congested) {
                send(session, portal_api::ToClient{portal_api::InvalidateGatewayIceCandidates{
                                  gateway.id, {candidates.begin(), candidates.end()}}});
            }
        }
    }
}

void ControlPlane::leave(Session& session, Instant now) {
    if (!session.is_joined) {
        return;
    }
    session.is_joined = false;
    if (session.identity) {
        claims_.left(*session.identity, session.id);
    }
    std::visit(overloaded{
                   [&](const ConnectedClient& client) {
                       clients_.remove(client.device.id, session.id);
                       relays_.device_left(session.id);
                       kLog.info("Client left", log::field("cid", client.device.id));
                   },
                   [&](const ConnectedGateway& gateway) {
                       gateways_.remove(gateway.device.id, session.id);
                       relays_.device_left(session.id);
                       kLog.info("Gateway left", log::field("gid", gateway.device.id));
                   },
                   [&](const ConnectedRelay& relay) {
                       turn_users_.relay_left(session.id);
                       relays_.relay_left(session.id, relay.device.id, now);
                       kLog.info("Relay left", log::field("relay", relay.device.id));
                   },
               },
               session.state);
}

void ControlPlane::send(SessionId id, const portal_api::ToDevice& message) {
    send_text(id, portal_api::encode_to_device(message, sessions_.at(id).dialect));
}

void ControlPlane::reply_ok(SessionId id, std::string_view topic, const portal_api::Ref& ref) {
    send_text(id, portal_api::encode_ok_reply(topic, ref));
}

void ControlPlane::reply_error(SessionId id, std::string_view topic, const portal_api::Ref& ref,
                               std::string_view reason) {
    send_text(id, portal_api::encode_error_reply(topic, ref, reason));
}

void ControlPlane::end_channel(SessionId id, std::string_view topic) {
    send_text(id, portal_api::encode_channel_closed(topic));
}

void ControlPlane::tell_token_expired(SessionId id) {
    const auto topic = to_topic(sessions_.at(id).role);
    send_text(id, portal_api::encode_disconnect(topic, "token_expired"));
    end_channel(id, topic);
}

void ControlPlane::send_text(SessionId id, std::string text) {
    ++statistics_.frames_sent;
    outputs_.push_back(SendFrame{id, std::move(text)});
}

void ControlPlane::close(SessionId id, std::string reason, Instant now) {
    disconnect(id, now);
    outputs_.push_back(CloseSession{id, std::move(reason)});
}

void ControlPlane::send_relay_pushes() {
    while (auto push = turn_users_.poll_push()) {
        if (sessions_.contains(push->session)) {
            send(push->session, portal_api::ToRelay{std::move(push->message)});
        }
    }
    while (auto push = relays_.poll_push()) {
        const auto session = sessions_.find(push->session);
        if (session == sessions_.end()) {
            continue;
        }
        if (session->second.role == Role::kClient) {
            send(push->session, portal_api::ToClient{std::move(push->message)});
        } else {
            send(push->session, portal_api::ToGateway{std::move(push->message)});
        }
    }
}

portal_api::Interface ControlPlane::client_interface(const Client& client) const {
    portal_api::Interface interface{.ipv4 = client.ipv4,
                                    .ipv6 = client.ipv6,
                                    .upstream_dns = {},
                                    .upstream_doh = directory_.account.upstream_doh,
                                    .search_domain = directory_.account.search_domain,
                                    .upstream_do53 = {}};
    for (const auto& server : directory_.account.upstream_dns) {
        interface.upstream_dns.push_back({server});
        interface.upstream_do53.push_back(server.ip);
    }
    // Which has no ports: devices that know it fall back to the other list.
    if (!std::ranges::all_of(directory_.account.upstream_dns,
                             [](const auto& server) { return server.port == kDnsPort; })) {
        interface.upstream_do53.clear();
    }
    return interface;
}

void ControlPlane::send_client_init(Session& session, std::vector<portal_api::Relay> relays) {
    const auto& state = session.client();
    portal_api::ClientInit init;
    init.interface = client_interface(state.device);
    for (const auto& [resource_id, resource] : state.resources) {
        init.resources.push_back(resource);
    }
    for (const auto& [pool_id, pool] : state.pools) {
        init.device_pools.push_back(*pool);
    }
    init.authorizations = state.inbound.authorizations();
    init.relays = std::move(relays);
    init.flow_logs = flow_log_settings();
    std::set<ResourceId> granted;
    std::ranges::transform(init.authorizations, std::inserter(granted, granted.end()),
                           &portal_api::Authorization::resource_id);
    send(session.id, portal_api::ToClient{std::move(init)});

    // As for gateways: with which filters others are let in may have changed meanwhile.
    for (const auto& id : granted) {
        if (const auto pool = directory_.resources.find(id); pool != directory_.resources.end()) {
            send(session.id, portal_api::ToClient{portal_api::ResourceFiltersUpdated{to_grant(pool->second)}});
        }
    }
}

void ControlPlane::send_init(Session& session, std::vector<portal_api::Relay> relays) {
    const auto& gateway = session.gateway();
    portal_api::GatewayInit init;
    init.interface.ipv4 = gateway.device.ipv4;
    init.interface.ipv6 = gateway.device.ipv6;
    init.account_slug = directory_.account.slug;
    init.authorizations = gateway.flows.authorizations();
    init.relays = std::move(relays);
    init.flow_logs = flow_log_settings();
    std::set<ResourceId> granted;
    std::ranges::transform(init.authorizations, std::inserter(granted, granted.end()),
                           &portal_api::Authorization::resource_id);
    send(session.id, portal_api::ToGateway{std::move(init)});

    // `init` says what stays allowed, but not with which filters, and those may have changed meanwhile.
    for (const auto& resource_id : granted) {
        const auto resource = directory_.resources.find(resource_id);
        if (resource == directory_.resources.end()) {
            continue;
        }
        if (auto adapted = to_gateway(resource->second, session.version)) {
            send(session.id, portal_api::ToGateway{portal_api::ResourceUpdated{*std::move(adapted)}});
        }
    }
}

std::map<ResourceId, portal_api::ClientResource> ControlPlane::visible_resources(const Session& session,
                                                                                 UnixSeconds wall_now) {
    std::map<ResourceId, portal_api::ClientResource> visible;
    const auto facts = facts_of(session, wall_now);
    for (const auto* resource : connectable_resources(directory_, session.client().device.actor, facts, windows_)) {
        if (auto adapted = to_client(*resource, directory_, session.version)) {
            visible.emplace(resource->id, *std::move(adapted));
        }
    }
    return visible;
}

}  // namespace culvert::portal
