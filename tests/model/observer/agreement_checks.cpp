#include "tests/model/observer/agreement_checks.h"

#include <algorithm>

#include "culvert/base/overloaded.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Grants end at their expiry; a late driver's timers go off so much after it, at the worst.
constexpr auto kExpiryTakes = 7s;
/// Expiry is told in whole seconds.
constexpr Duration kRounding = 1s;
/// "Within two seconds", and the message's way.
constexpr Duration kRevocationTakes = 5s;
/// From the goodbye of a process to the end of its grants, by late drivers too.
constexpr Duration kGoodbyeTakes = 10s;

}  // namespace

void AgreementChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void AgreementChecks::handle(const Settled&, Instant now) {
    settled_at_ = now;
}

void AgreementChecks::handle(const StatesShown& event, Instant now) {
    std::map<ClientNo, const tunnel::ClientState&> clients;
    std::map<GatewayNo, const tunnel::GatewayState&> gateways;
    for (const auto& [device, shown] : event.states) {
        if (const auto* client = std::get_if<ClientNo>(&device); client != nullptr && !situation_.is_hostile(*client)) {
            const auto& state = std::get<tunnel::ClientState>(shown);
            clients.emplace(*client, state);
            check_assignments(*client, state, now);
        } else if (const auto* gateway = std::get_if<GatewayNo>(&device);
                   gateway != nullptr && !situation_.is_hostile(*gateway)) {
            const auto& state = std::get<tunnel::GatewayState>(shown);
            gateways.emplace(*gateway, state);
            check_grants(*gateway, state, now);
            check_goodbyes(*gateway, state, now);
        } else if (const auto* relay = std::get_if<RelayNo>(&device)) {
            check_relay(*relay, std::get<turn::ServerAllocations>(shown), now);
        }
    }
    for (const auto& [client, at_client] : clients) {
        for (const auto& [gateway, at_gateway] : gateways) {
            const auto answered_at = situation_.answers().last(client, gateway);
            if (answered_at && *answered_at >= settled_at_) {
                check_pair(client, at_client, gateway, at_gateway, now);
            }
        }
    }
}

void AgreementChecks::handle(const ActionTaken& event, Instant now) {
    const auto* revoke = std::get_if<RevokeToken>(&event.step.action);
    if (revoke != nullptr && event.is_effective) {
        revoked_.try_emplace(revoke->device, now);
    }
}

void AgreementChecks::handle(const MessageToDevice& event, Instant) {
    const auto learn = [&](const std::vector<portal_api::Relay>& relays) {
        for (const auto& relay : relays) {
            salts_[event.device].insert(relay.username.substr(relay.username.find(':') + 1));
        }
    };
    const auto handle_one = overloaded{
        [&](const portal_api::ClientInit& init) { learn(init.relays); },
        [&](const portal_api::GatewayInit& init) { learn(init.relays); },
        [&](const portal_api::RelaysPresence& presence) { learn(presence.connected); },
        ignores<portal_api::ConfigChanged, portal_api::ResourceCreatedOrUpdated, portal_api::ResourceDeleted,
                portal_api::FlowCreated, portal_api::FlowCreationFailed, portal_api::GatewayIceCandidates,
                portal_api::InvalidateGatewayIceCandidates, portal_api::AuthorizeFlow,
                portal_api::AccessAuthorizationExpiryUpdated, portal_api::RejectAccess, portal_api::ResourceUpdated,
                portal_api::ClientIceCandidates, portal_api::InvalidateClientIceCandidates,
                portal_api::DevicePoolCreatedOrUpdated, portal_api::DeviceAccessAuthorized,
                portal_api::DeviceAccessDenied, portal_api::ClientIceCandidateError, portal_api::ResourceFiltersUpdated,
                portal_api::RelayInit, portal_api::TurnUsers>};
    std::visit([&](const auto& message) { std::visit(handle_one, message); }, event.message);
}

void AgreementChecks::check_relay(RelayNo relay, const turn::ServerAllocations& allocations, Instant now) {
    if (situation_.calm().was_unreachable(relay, now - kRevocationTakes)) {
        return;
    }
    for (const auto& [device, revoked_at] : revoked_) {
        if (revoked_at + kRevocationTakes > now) {
            continue;
        }
        const auto& salts = salts_[device];
        const bool is_gone =
            std::ranges::none_of(allocations, [&](const auto& entry) { return salts.contains(entry.second.user); });
        verdict_.check("SEC-12", is_gone, now,
                       [&] { return name(relay) + " still serves a device whose token was revoked"; });
    }
}

/// It may have fewer: with a goodbye it forgets the client.
void AgreementChecks::check_grants(GatewayNo gateway, const tunnel::GatewayState& state, Instant now) {
    const auto wall = std::chrono::floor<std::chrono::seconds>(situation_.wall_time_at(gateway, now));
    for (const auto& [client, grants] : state.grants) {
        const auto& told = situation_.grants(gateway).of(client);
        for (const auto& [resource, expires_at] : grants) {
            const auto grant = told.find(resource);
            const bool is_granted =
                grant != told.end() && (!grant->second.expires_at || *grant->second.expires_at > wall - kExpiryTakes);
            verdict_.check("STA-4", is_granted, now, [&] {
                return name(gateway) + " grants client " + client.to_string() + " " + resource.to_string() +
                       " without having been told to";
            });
        }
    }
}

/// A client that is granted something again at once may overtake its goodbye.
void AgreementChecks::check_goodbyes(GatewayNo gateway, const tunnel::GatewayState& state, Instant now) {
    for (const auto client : situation_.clients()) {
        const auto id = situation_.id_of(client);
        const auto goodbye = situation_.goodbye_at(client, gateway);
        if (!id || !goodbye || *goodbye + kGoodbyeTakes > now) {
            continue;
        }
        const auto latest = *goodbye + kGoodbyeTakes;
        if (situation_.calm().disturbed_at(gateway) >= *goodbye) {
            continue;  // maybe lost on its way
        }
        const auto& told = situation_.grants(gateway).of(*id);
        const bool is_back = std::ranges::any_of(
            told, [&](const auto& entry) { return entry.second.since > *goodbye && entry.second.since <= latest; });
        if (is_back) {
            continue;
        }
        const auto shown = state.grants.find(*id);
        const bool is_forgotten = shown == state.grants.end() || std::ranges::none_of(told, [&](const auto& entry) {
                                      return entry.second.since <= *goodbye && shown->second.contains(entry.first);
                                  });
        verdict_.check("RES-2", is_forgotten, now, [&] {
            return name(gateway) + " still grants " + name(client) + " what it did before its goodbye";
        });
    }
}

void AgreementChecks::check_assignments(ClientNo client, const tunnel::ClientState& state, Instant now) {
    const auto& told = situation_.told(client);
    for (const auto& [resource, gateway] : state.assignments) {
        verdict_.check("STA-4", told.is_given(resource, gateway), now, [&] {
            return name(client) + " reaches " + resource.to_string() + " through a gateway that it was not given";
        });
    }
}

void AgreementChecks::check_pair(ClientNo client, const tunnel::ClientState& at_client, GatewayNo gateway,
                                 const tunnel::GatewayState& at_gateway, Instant now) {
    const auto expiry = situation_.access().token_expiry(client);
    if (expiry && std::min(*expiry, *situation_.token_expiry_at(gateway, client)) <= now + kRounding) {
        return;  // with what it was granted its connections end, a moment later at one end than at the other
    }
    const auto id = situation_.id_of(client);
    const auto other = std::ranges::find_if(
        at_client.connections, [&](const auto& entry) { return situation_.find(GatewayId{entry.first}) == gateway; });
    const auto own = id ? at_gateway.connections.find(id->uuid()) : at_gateway.connections.end();
    const auto between = [&] { return "between " + name(client) + " and " + name(gateway); };
    const bool are_connected = other != at_client.connections.end() && own != at_gateway.connections.end();
    if (!verdict_.check("STA-4", are_connected, now,
                        [&] { return "one end does not know the connection that works " + between(); })) {
        return;
    }
    const auto& [gateway_id, client_end] = *other;
    const auto& gateway_end = own->second;
    verdict_.check("STA-4",
                   client_end.tunnel.preshared_key == gateway_end.tunnel.preshared_key &&
                       client_end.local_ufrag == gateway_end.remote_ufrag &&
                       client_end.remote_ufrag == gateway_end.local_ufrag,
                   now, [&] { return "keys or credentials differ " + between(); });
    const bool is_shared = std::ranges::any_of(client_end.tunnel.sessions, [&](const wireguard::SessionState& session) {
        return session.is_current &&
               std::ranges::any_of(gateway_end.tunnel.sessions, [&](const wireguard::SessionState& peer) {
                   return peer.local_index == session.peer_index && peer.peer_index == session.local_index;
               });
    });
    verdict_.check("STA-4", is_shared, now, [&] { return "the client's session is not known to both " + between(); });
    const auto granted = at_gateway.grants.find(*id);
    for (const auto& [resource, assigned] : at_client.assignments) {
        if (assigned.uuid() == gateway_id) {
            verdict_.check("STA-4", granted != at_gateway.grants.end() && granted->second.contains(resource), now, [&] {
                return name(gateway) + " does not grant " + resource.to_string() + ", for which " + name(client) +
                       " uses it";
            });
        }
    }
}

}  // namespace culvert::model
