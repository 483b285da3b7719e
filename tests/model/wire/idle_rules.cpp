#include "tests/model/wire/idle_rules.h"

#include <algorithm>
#include <utility>

#include "culvert/connectivity/constants.h"
#include "culvert/ice/constants.h"
#include "culvert/wireguard/constants.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

/// A connection is idle so long after the last activity (8.2); then checks and keep-alives are that far apart.
using connectivity::kIdleAfter;
constexpr Duration kIdleInterval = ice::kIdleTiming.max_rto;
/// A list that is full forgets pairs, and forms them again (4.1).
constexpr std::ptrdiff_t kMaxPairs{ice::kMaxPairs};
/// Datagrams wait in queues, the first of two a little longer.
constexpr Duration kJitter = 100ms;
constexpr Duration kTick = 2s;
/// Timers of a late driver go off so much after they are due, at the worst.
constexpr Duration kLateness = 6s;
/// A handshake is followed by one keep-alive at once, and by another if it carried data (7.2).
constexpr Duration kKeepAliveTimeout = wireguard::kKeepaliveTimeout;

Duration slack(const Host& host) {
    return host.is_late ? kLateness : kTick;
}

}  // namespace

bool IdleRules::is_idle(const Host& host, const State& state, Instant local) const {
    return local > state.active_at + kIdleAfter + slack(host) && hosts_.calm().holds(local + host.slept);
}

std::ptrdiff_t IdleRules::count_checked(const State& state, const Uuid& peer, Instant since) {
    return std::ranges::count_if(state.pairs, [&](const auto& entry) {
        const auto& [key, pair] = entry;
        return key.first == peer && pair.checked_at && *pair.checked_at >= since;
    });
}

void IdleRules::handle_check_sent(const PeerDatagram& datagram, const StunMessage& message) {
    const auto& host = datagram.host;
    const auto grant = host.grants.find(message.text(stun_attribute::kUsername));
    if (message.type() != stun_type::kBinding || grant == host.grants.end() || host.is_hostile) {
        return;
    }
    auto& state = states_[host.device];
    auto& pair = state.pairs[{grant->second.peer, datagram.leg}];
    const auto local = host.local(datagram.now);
    const auto last = pair.checked_at;
    const bool has_nomination = message.has(stun_attribute::kUseCandidate);
    const bool nominates = has_nomination && !pair.is_nominated;
    if (last && !nominates && is_idle(host, state, *last)) {
        const bool is_too_often = local - *last < kIdleInterval - kJitter &&
                                  count_checked(state, grant->second.peer, local - kIdleInterval) < kMaxPairs;
        findings_.judge("RES-1", is_too_often ? "a pair of an idle connection is checked too often" : Complaint{},
                        datagram.now, [&] { return datagram.describe(); });
    }
    if (nominates) {
        note_activity(host, datagram.now);
    }
    pair.checked_at = local;
    pair.is_nominated = host.is_client() ? has_nomination : pair.is_nominated;
}

/// The peer has made its connection anew.
void IdleRules::forget_nominations(State& state, const Uuid& peer) {
    for (auto& [key, pair] : state.pairs) {
        if (key.first == peer) {
            pair.is_nominated = false;
        }
    }
}

void IdleRules::handle_check_received(const PeerDatagram& datagram, const StunMessage& message) {
    if (message.type() != stun_type::kBinding || datagram.host.is_client()) {
        return;
    }
    const auto username = message.text(stun_attribute::kUsername);
    const auto grant = std::ranges::find_if(datagram.host.grants, [&](const auto& entry) {
        return entry.second.local.username + ":" + entry.second.remote.username == username;
    });
    if (grant == datagram.host.grants.end()) {
        return;
    }
    auto& state = states_[datagram.host.device];
    if (const auto agent = message.find(stun_attribute::kIceControlling); agent && agent->size() == 8) {
        const auto tie_breaker = load_be<std::uint64_t>(*agent);
        if (std::exchange(state.agents[grant->second.peer], tie_breaker) != tie_breaker) {
            forget_nominations(state, grant->second.peer);
        }
    }
    auto& pair = state.pairs[{grant->second.peer, datagram.leg}];
    const bool has_nomination = message.has(stun_attribute::kUseCandidate);
    if (has_nomination && !pair.is_nominated) {
        note_activity(datagram.host, datagram.now);
        state.answered_over.clear();  // it may answer over this one from now on
    }
    // Once nominated, a pair remains so, whatever the client prefers later.
    pair.is_nominated = pair.is_nominated || has_nomination;
}

void IdleRules::handle_wireguard(const Host& host, const WireGuardMessage& message, Instant now) {
    if (message.is_handshake()) {
        states_[host.device].handshake_at = host.local(now);
    } else if (!message.is_keepalive()) {
        note_activity(host, now);
    }
}

void IdleRules::handle_wireguard_sent(const PeerDatagram& datagram, const WireGuardMessage& message) {
    const auto& host = datagram.host;
    const auto& state = states_[host.device];
    const auto local = host.local(datagram.now);
    if (message.is_keepalive() && !host.is_hostile && is_idle(host, state, local)) {
        findings_.judge("RES-1",
                        state.handshake_at && local - *state.handshake_at <= kKeepAliveTimeout + slack(host)
                            ? Complaint{}
                            : "an idle session is kept alive",
                        datagram.now, [&] { return datagram.describe(); });
    }
    if (message.type != WireGuardType::kInitiation) {
        states_[host.device].answered_over.insert_or_assign(message.receiver >> 8, datagram.leg);
    }
    handle_wireguard(host, message, datagram.now);
}

void IdleRules::handle_wireguard_received(const PeerDatagram& datagram, const WireGuardMessage& message) {
    if (message.type == WireGuardType::kInitiation) {
        const auto& answered_over = states_[datagram.host.device].answered_over;
        const auto leg = answered_over.find(message.sender >> 8);
        if (leg == answered_over.end() || leg->second != datagram.leg) {
            note_activity(datagram.host, datagram.now);  // the peer left the path that it was answered over so far
        }
    }
    handle_wireguard(datagram.host, message, datagram.now);
}

void IdleRules::handle_request_sent(const Host& host, const net::SocketAddress& relay, const StunMessage& message,
                                    Instant now) {
    auto& state = states_[host.device];
    if (message.type() == stun_type::kAllocate) {
        state.bindings.clear();  // a lost relay is tried, on both families one after the other
    }
    if (message.type() != stun_type::kBinding || host.is_hostile) {
        return;
    }
    const auto local = host.local(now);
    const auto [last, is_first] = state.bindings.try_emplace(relay, Binding{message.transaction_id(), local});
    if (is_first || last->second.id == message.transaction_id()) {
        return;  // repeated, because it was not answered
    }
    if (is_idle(host, state, last->second.at)) {
        findings_.judge(
            "RES-1",
            local - last->second.at >= kIdleInterval - kJitter ? Complaint{} : "an allocation is kept alive too often",
            now, [&] { return host.name() + " to " + relay.to_string(); });
    }
    last->second = {message.transaction_id(), local};
}

}  // namespace culvert::model::wire
