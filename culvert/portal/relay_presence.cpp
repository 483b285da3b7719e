#include "culvert/portal/relay_presence.h"

#include <algorithm>

#include "culvert/portal/constants.h"
#include "culvert/portal/derivations.h"

namespace culvert::portal {

void RelayPresence::relay_joined(SessionId session, const RelayServer& relay, const std::string& stamp_secret,
                                 bool takes_turn_users) {
    Stamp stamp{.secret = stamp_secret, .v4 = std::nullopt, .v6 = std::nullopt};
    if (relay.ipv4) {
        stamp.v4 = net::SocketAddress{*relay.ipv4, relay.port};
    }
    if (relay.ipv6) {
        stamp.v6 = net::SocketAddress{*relay.ipv6, relay.port};
    }
    online_[relay.id].push_back({session, stamp, takes_turn_users});

    for (auto& [device_session, device] : devices_) {
        if (const auto known = device.assigned.find(relay.id); known != device.assigned.end()) {
            device.leaving.erase(relay.id);
            if (known->second.stamp != stamp) {
                // The old credentials are dead already, so this does not wait.
                known->second = {stamp, device.user.expires_at};
                push(device_session, device, {relay.id});
            }
        } else if (device.assigned.size() - device.leaving.size() < kRelaysPerDevice) {
            device.assigned.emplace(relay.id, Assignment{stamp, device.user.expires_at});
            push(device_session, device, {});
        }
    }
}

void RelayPresence::relay_left(SessionId session, const RelayId& relay, Instant now) {
    const auto entry = online_.find(relay);
    if (entry == online_.end()) {
        return;
    }
    std::erase_if(entry->second, [&](const auto& process) { return process.session == session; });
    if (entry->second.empty()) {
        online_.erase(entry);
    }
    const auto* remaining = find_online(relay);
    const auto reported_at = now + kRelayLeaveDebounce;
    bool is_anyones = false;
    for (auto& [device_session, device] : devices_) {
        const auto assigned = device.assigned.find(relay);
        if (assigned != device.assigned.end() && (remaining == nullptr || remaining->stamp != assigned->second.stamp)) {
            is_anyones |= device.leaving.emplace(relay, reported_at).second;
        }
    }
    if (is_anyones) {
        debounce_ends_.push_back(reported_at);
    }
}

std::vector<portal_api::Relay> RelayPresence::device_joined(SessionId session, const User& user) {
    auto& device = devices_[session];
    device = {.user = user, .assigned = {}, .leaving = {}};
    fill_up(device);
    return entries(device);
}

std::vector<RelayPresence::Renewal> RelayPresence::renew(UnixSeconds now) {
    std::vector<Renewal> renewals;
    for (auto& [session, device] : devices_) {
        if (device.user.expires_at < now + kTurnRenewAhead) {
            device.user.expires_at = turn_expiry(device.user.role, now, device.user.limit);
        }
        std::optional<UnixSeconds> extended_until;
        bool is_replaced = false;
        for (auto& [relay, assignment] : device.assigned) {
            if (assignment.counts_until >= now + kTurnRenewAhead || assignment.counts_until >= device.user.expires_at) {
                continue;
            }
            const auto* process = find_online(relay);
            if (process != nullptr && process->takes_turn_users) {
                assignment.counts_until = device.user.expires_at;
                extended_until = device.user.expires_at;
            } else if (assignment.counts_until < now + kTurnReplaceAhead) {
                assignment.expires_at = device.user.expires_at;
                assignment.counts_until = device.user.expires_at;
                is_replaced = true;
            }
        }
        if (is_replaced) {
            push(session, device, {});
        }
        if (extended_until || is_replaced) {
            renewals.push_back({session, turn_salt(device.user.key), extended_until});
        }
    }
    return renewals;
}

std::optional<RelayPresence::Push> RelayPresence::poll_push() {
    if (pushes_.empty()) {
        return std::nullopt;
    }
    auto next = std::move(pushes_.front());
    pushes_.pop_front();
    return next;
}

std::vector<portal_api::Relay> RelayPresence::relays_of(SessionId session) const {
    const auto device = devices_.find(session);
    return device == devices_.end() ? std::vector<portal_api::Relay>{} : entries(device->second);
}

void RelayPresence::handle_timeout(Instant now) {
    if (debounce_ends_.empty() || debounce_ends_.front() > now) {
        return;
    }
    while (!debounce_ends_.empty() && debounce_ends_.front() <= now) {
        debounce_ends_.pop_front();
    }
    for (auto& [session, device] : devices_) {
        std::vector<RelayId> disconnected;
        for (auto leaving = device.leaving.begin(); leaving != device.leaving.end();) {
            if (leaving->second > now) {
                ++leaving;
                continue;
            }
            disconnected.push_back(leaving->first);
            device.assigned.erase(leaving->first);
            leaving = device.leaving.erase(leaving);
        }
        if (!disconnected.empty()) {
            fill_up(device);
            push(session, device, std::move(disconnected));
        }
    }
}

std::optional<Instant> RelayPresence::poll_timeout() const {
    return debounce_ends_.empty() ? std::nullopt : std::optional{debounce_ends_.front()};
}

void RelayPresence::fill_up(Device& device) {
    std::vector<RelayId> candidates;
    for (const auto& [id, processes] : online_) {
        if (!device.assigned.contains(id)) {
            candidates.push_back(id);
        }
    }
    while (device.assigned.size() - device.leaving.size() < kRelaysPerDevice && !candidates.empty()) {
        const auto chosen = candidates.begin() + static_cast<std::ptrdiff_t>(rng_.below(candidates.size()));
        device.assigned.emplace(*chosen, Assignment{find_online(*chosen)->stamp, device.user.expires_at});
        candidates.erase(chosen);
    }
}

std::vector<portal_api::Relay> RelayPresence::entries(const Device& device) const {
    std::vector<portal_api::Relay> relays;
    for (const auto& [id, assignment] : device.assigned) {
        if (device.leaving.contains(id)) {
            continue;
        }
        const auto& stamp = assignment.stamp;
        const auto credentials = turn_credentials(device.user.key, stamp.secret, assignment.expires_at);
        // Both addresses of one relay must be neighbours, IPv4 first: receivers merge only those.
        for (const auto& address : {stamp.v4, stamp.v6}) {
            if (address) {
                relays.push_back({id, *address, credentials.username, credentials.password, assignment.expires_at});
            }
        }
    }
    return relays;
}

void RelayPresence::push(SessionId session, const Device& device, std::vector<RelayId> disconnected) {
    pushes_.push_back({session, {std::move(disconnected), entries(device)}});
}

const RelayPresence::Process* RelayPresence::find_online(const RelayId& relay) const {
    const auto entry = online_.find(relay);
    return entry == online_.end() ? nullptr : &entry->second.back();
}

}  // namespace culvert::portal
