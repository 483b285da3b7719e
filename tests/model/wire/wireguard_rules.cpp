#include "tests/model/wire/wireguard_rules.h"

#include <algorithm>

#include "culvert/connectivity/constants.h"
#include "culvert/crypto/hash.h"
#include "culvert/wireguard/constants.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

// spec/connectivity.md 7.2 and 7.4.
using wireguard::kRejectAfterTime;
using wireguard::kRekeyAfterTime;
using wireguard::kRekeyTimeout;
constexpr Duration kShouldNotUse = wireguard::kInitiatorStopsSending;
constexpr Duration kWantHandshake = wireguard::kUnansweredDataTimeout;
constexpr Duration kJitter = wireguard::kMaxJitter;
constexpr unsigned kHandshakesPerSecond = wireguard::kHandshakesPerWindow;
/// Timers are looked at once a second; a late driver adds up to 5 s and a bit.
constexpr Duration kTick = 1s;
constexpr Duration kLateness = 5500ms;

constexpr std::size_t kMac1Offset = 116;
constexpr std::size_t kMacSize = 16;
/// Control messages between peers are IPv6 packets without addresses (8.6); their sizes are few.
constexpr std::size_t kGoodbyeSize = 48;

Duration slack(const Host& host) {
    return host.is_late ? kLateness : kTick;
}

const Grant* find_addressee(const Host& host, const WireGuardMessage& message) {
    for (const auto& [username, grant] : host.grants) {
        const auto mac = crypto::blake2s_keyed<kMacSize>(grant.mac1_key, {message.bytes.first(kMac1Offset)});
        if (equal(mac, message.bytes.subspan(kMac1Offset, kMacSize))) {
            return &grant;
        }
    }
    return nullptr;
}

}  // namespace

void WireGuardRules::handle_packet(const Device& client, std::size_t size) {
    auto& sizes = packet_sizes_[client];
    if (size < sizes.size()) {
        sizes.set(size);
    }
}

// --- Sent ---

void WireGuardRules::handle_sent(const PeerDatagram& datagram, const WireGuardMessage& message) {
    const auto complaint = [&]() -> Complaint {
        if ((message.is_handshake() || message.is_keepalive()) && datagram.ecn != net::Ecn::kNotEct) {
            return "a WireGuard message without a packet is sent with ECN";
        }
        switch (message.type) {
            case WireGuardType::kInitiation:
                return judge_initiation(datagram, message);
            case WireGuardType::kResponse:
                return judge_response(datagram, message);
            case WireGuardType::kCookie:
                return judge_cookie(datagram);
            case WireGuardType::kData:
                return judge_data(datagram, message);
        }
        return {};
    }();
    findings_.judge("PRO-1", complaint, datagram.now, [&] { return datagram.describe(); });
}

bool WireGuardRules::is_silent(const Host& host, const Uuid& peer, Instant now) const {
    const auto local = host.local(now);
    const auto unanswered = unanswered_.find({host.device, peer});
    if (unanswered != unanswered_.end() && local - unanswered->second >= kWantHandshake) {
        return true;
    }
    // What the silence called for is still sent if the peer speaks up in the moment before (jitter of 7.2).
    const auto silence = silences_.find({host.device, peer});
    return silence != silences_.end() && local - silence->second <= kJitter;
}

bool WireGuardRules::has_unconfirmed_session(const Host& host, const Uuid& peer) const {
    return std::ranges::any_of(unconfirmed_, [&](const auto& entry) {
        const auto initiation = announced_.find(entry.second);
        return entry.first.second == host.device && initiation != announced_.end() && initiation->second.peer == peer;
    });
}

void WireGuardRules::end_silence(const Host& host, const Uuid& peer, Instant now) {
    const std::pair key{host.device, peer};
    if (const auto unanswered = unanswered_.find(key); unanswered != unanswered_.end()) {
        if (host.local(now) - unanswered->second >= kWantHandshake) {
            silences_.insert_or_assign(key, host.local(now));
        }
        unanswered_.erase(unanswered);
    }
}

void WireGuardRules::judge_open(const PeerDatagram& datagram, const Uuid& peer) {
    const bool is_client = datagram.host.is_client();
    const Complaint complaint = ice_.is_open(datagram.host, peer, datagram.leg) ? Complaint{}
                                : is_client ? "a client sends WireGuard to an address that answered no check"
                                            : "a gateway sends WireGuard to an address that has not authenticated";
    findings_.judge(is_client ? "PRO-1" : "SEC-5", complaint, datagram.now, [&] { return datagram.describe(); });
}

Complaint WireGuardRules::judge_initiation(const PeerDatagram& datagram, const WireGuardMessage& message) {
    auto& host = datagram.host;
    const auto* grant = find_addressee(host, message);
    if (grant == nullptr) {
        return "MAC1 of a handshake initiation is for none of the sender's peers";
    }
    judge_open(datagram, grant->peer);
    findings_.count("wire: handshake initiation");
    if (!host.is_client() && !host.is_hostile) {
        const auto* client = hosts_.find_id(grant->peer);
        const auto is_steady = [&](const Host& each) {
            return !each.has_impatient_nat && hosts_.calm().holds(each.device, datagram.now);
        };
        const bool is_wrong =
            !may_initiate(datagram, message, *grant) && is_steady(host) && (client == nullptr || is_steady(*client));
        findings_.judge("SEC-5", is_wrong ? "a gateway initiates a handshake" : Complaint{}, datagram.now,
                        [&] { return datagram.describe(); });
    }
    if (auto* peer = hosts_.find_id(grant->peer)) {
        senders_.insert_or_assign({message.sender, host.device}, grant->peer);
        announced_.insert_or_assign({message.sender, peer->device},
                                    Announced{.owner = host.device, .peer = *host.id, .by_initiation = true});
    }
    return judge_pace(datagram, message, *grant);
}

/// After nomination a gateway may start a handshake when it has a packet but no session, or when the peer has fallen
/// silent (7.3). The first takes a session that expired, is its own, or was not confirmed by the peer yet (7.1); the
/// second a fault.
bool WireGuardRules::may_initiate(const PeerDatagram& datagram, const WireGuardMessage& message,
                                  const Grant& grant) const {
    const auto& gateway = datagram.host;
    const auto agreed = agreed_.find({gateway.device, grant.peer});
    const auto age = agreed == agreed_.end() ? Duration{} : gateway.local(datagram.now) - agreed->second;
    const bool has_agreed = agreed != agreed_.end();
    const auto before = initiators_.find({gateway.device, message.sender >> 8});
    const bool is_own = before != initiators_.end() && before->second.established &&
                        gateway.local(datagram.now) - *before->second.established <= kRejectAfterTime + kTick;
    return is_silent(gateway, grant.peer, datagram.now) || is_own ||
           (has_agreed && age < kRekeyTimeout && has_unconfirmed_session(gateway, grant.peer)) ||
           (has_agreed && age >= kRejectAfterTime - kTick);
}

Complaint WireGuardRules::judge_pace(const PeerDatagram& datagram, const WireGuardMessage& message,
                                     const Grant& grant) {
    auto& host = datagram.host;
    const auto local = host.local(datagram.now);
    const auto [entry, is_first] = initiators_.try_emplace({host.device, message.sender >> 8});
    auto& last = entry->second;
    Complaint complaint;
    if (!is_first) {
        const bool is_switched =
            last.leg != datagram.leg || ice_.last_nomination(host, grant.peer) >= last.last_at + host.slept;
        const bool is_moving = host.changed_at && datagram.now - *host.changed_at <= connectivity::kMovingTime + kTick;
        const bool is_renewed = grant.renewed >= last.last_at + host.slept;
        if (message.sender == last.last_index) {
            complaint = "a handshake initiation repeats its index";
        } else if (!last.is_answered && local - last.last_at < kRekeyTimeout && !is_moving) {
            complaint = "an unanswered handshake initiation is repeated in less than 5 s";
        } else if (last.is_answered && !is_renewed && !is_switched && last.established &&
                   local - *last.established < kRekeyAfterTime && !is_silent(host, grant.peer, datagram.now) &&
                   hosts_.calm().holds(datagram.now) && !host.is_hostile) {
            // A hostile one that sends what nobody answers has reason to doubt its session.
            complaint = "a new handshake although the session is young and the path is the same";
        }
    }
    last = {message.sender, local, false, last.established, datagram.leg};
    return complaint;
}

Complaint WireGuardRules::judge_response(const PeerDatagram& datagram, const WireGuardMessage& message) {
    auto& host = datagram.host;
    const auto initiation = announced_.find({message.receiver, host.device});
    if (initiation == announced_.end() || !initiation->second.by_initiation || !initiation->second.is_received) {
        return "a handshake response to an initiation that was not received";
    }
    auto& session = initiation->second;
    judge_open(datagram, session.peer);
    if (session.is_answered) {
        return "a second handshake response to one initiation";
    }
    session.is_answered = true;
    session.since = host.local(datagram.now);
    session.next_counter = 0;
    agreed_[{host.device, session.peer}] = session.since;
    const User user{message.sender, session.owner};
    announced_.insert_or_assign(user, Announced{.owner = host.device, .peer = *host.id});
    unconfirmed_.insert_or_assign({message.sender, host.device}, initiation->first);
    senders_.insert_or_assign({message.sender, host.device}, session.peer);
    if (const auto own = initiators_.find({host.device, message.sender >> 8}); own != initiators_.end()) {
        // What it asked for itself is no longer waited for.
        own->second.is_answered = true;
    }
    findings_.count("wire: handshake response");
    return {};
}

Complaint WireGuardRules::judge_cookie(const PeerDatagram& datagram) {
    findings_.count("wire: cookie reply");
    return handshakes_received_[datagram.host.device] > kHandshakesPerSecond
               ? Complaint{}
               : "a cookie reply although few handshake messages arrived";
}

Complaint WireGuardRules::judge_data(const PeerDatagram& datagram, const WireGuardMessage& message) {
    auto& host = datagram.host;
    const auto entry = announced_.find({message.receiver, host.device});
    if (entry == announced_.end()) {
        return "data for a receiver index that no peer announced";
    }
    auto& session = entry->second;
    const auto* grant = host.find_grant(session.peer);
    if (grant == nullptr || grant->since != datagram.now) {
        judge_open(datagram, session.peer);  // unless it was sealed before the connection was replaced, just now
    }
    if (session.by_initiation ? !session.is_answered || !session.is_confirmed : !session.is_received) {
        return session.by_initiation ? "a responder sends data before the initiator did"
                                     : "an initiator sends data before the response arrived";
    }
    if (message.counter < session.next_counter) {
        findings_.judge("SEC-8", "a WireGuard nonce repeats or goes back", datagram.now,
                        [&] { return datagram.describe(); });
        return {};
    }
    findings_.judge("SEC-8", {}, datagram.now, [] { return std::string{}; });
    session.next_counter = message.counter + 1;
    if (!message.is_keepalive()) {
        unanswered_.try_emplace({host.device, session.peer}, host.local(datagram.now));
    }
    const auto age = host.local(datagram.now) - session.since;
    if (age > (session.by_initiation ? kRejectAfterTime : kShouldNotUse) + slack(host)) {
        return "data on a session that is too old to be used";
    }
    if (host.is_client() && !message.is_keepalive() && !host.is_hostile) {
        const auto inner = message.bytes.size() - WireGuardMessage::kDataOverhead;
        if (inner != kGoodbyeSize && (inner >= 2048 || !packet_sizes_[host.device].test(inner))) {
            return "a data message is as long as no packet of the sender's applications";
        }
    }
    return {};
}

// --- Received ---

void WireGuardRules::handle_received(const PeerDatagram& datagram, const WireGuardMessage& message) {
    auto& host = datagram.host;
    if (message.type == WireGuardType::kInitiation || message.type == WireGuardType::kResponse) {
        ++handshakes_received_[host.device];
    }
    if (datagram.is_attack) {
        return;
    }
    switch (message.type) {
        case WireGuardType::kInitiation:
            if (const auto entry = announced_.find({message.sender, host.device}); entry != announced_.end()) {
                entry->second.is_received = true;
            }
            break;
        case WireGuardType::kResponse: {
            const auto entry = announced_.find({message.sender, host.device});
            if (entry == announced_.end() || entry->second.by_initiation || entry->second.is_received) {
                break;
            }
            entry->second.is_received = true;
            entry->second.since = host.local(datagram.now);
            end_silence(host, entry->second.peer, datagram.now);
            // A late response to the initiation before the last ends the attempt as well (7.3).
            const auto initiator = initiators_.find({host.device, message.receiver >> 8});
            if (initiator != initiators_.end()) {
                initiator->second.is_answered = true;
                initiator->second.established = entry->second.since;
            }
            break;
        }
        case WireGuardType::kCookie:
            break;
        case WireGuardType::kData: {
            if (const auto sender = senders_.find({message.receiver, host.device}); sender != senders_.end()) {
                end_silence(host, sender->second, datagram.now);
            }
            const auto session = unconfirmed_.find({message.receiver, host.device});
            if (session != unconfirmed_.end()) {
                announced_.at(session->second).is_confirmed = true;
                unconfirmed_.erase(session);
            }
            break;
        }
    }
}

}  // namespace culvert::model::wire
