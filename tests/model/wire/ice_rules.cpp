#include "tests/model/wire/ice_rules.h"

#include <algorithm>
#include <ranges>

#include "culvert/ice/constants.h"
#include "tests/model/wire/candidate_line.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;
using namespace stun_attribute;

/// Received requests that a busy or hung host may still answer.
constexpr std::size_t kMaxRequests = 4096;
/// Twelve checks of a pair take 13.75 s; pairs that are formed again or nominated take a few more (4.6).
constexpr Duration kTwelveChecks = 8s;
/// Each answer that comes later than kLongTrip after its check starts a new series with short pauses (4.6, rule 3).
constexpr Duration kTwelveChecksOnALongTrip = 5s;
constexpr Duration kLongTrip = 700ms;
/// A connection that was closed is made anew, with the same credentials, when the client asks for a flow again: for
/// each resource at most every 2 s (spec/tunnel.md 3).
constexpr std::size_t kMostLives = 8;
constexpr Duration kLivesCounted = 10s;
constexpr std::ptrdiff_t kMaxPairs{ice::kMaxPairs};
constexpr Duration kLongestPause = ice::kDefaultTiming.max_rto;
/// Which messages have their integrity verified: the first ones of a connection, then a sample.
constexpr unsigned kAlwaysVerified = 4;
constexpr unsigned kSample = 8;
/// While a connection is established each better pair is nominated in turn; a fault may cost two nominations.
constexpr unsigned kNominationsAtFirst = 12;
constexpr unsigned kNominationsPerCandidate = 1;

/// PRIORITY of checks: that of a peer-reflexive candidate with the local preference of the pair's local candidate.
bool is_check_priority(std::uint32_t priority, const Leg& leg) {
    constexpr std::uint32_t kPeerReflexive = 110;
    if (priority >> 24 != kPeerReflexive || (priority & 0xFF) != 0xFF) {
        return false;
    }
    const bool is_cross = leg.is_relayed && leg.local.family() != leg.remote.family();
    const auto highest = (leg.is_relayed ? 16383U : 65535U) - (leg.remote.is_v4() ? 1U : 0U) - (is_cross ? 1000U : 0U);
    const auto local = (priority >> 8) & 0xFFFF;
    return local <= highest && (highest - local) % 2 == 0 && highest - local < 400;
}

/// "peer:self" from the "self:peer" that a received check carries.
std::string flipped(std::string_view username) {
    const auto colon = username.find(':');
    if (colon == std::string_view::npos) {
        return {};
    }
    return std::string{username.substr(colon + 1)} + ":" + std::string{username.substr(0, colon)};
}

}  // namespace

void IceRules::Path::note_answer(const TransactionId& id, Instant local) {
    const auto at = static_cast<std::size_t>(std::ranges::find(ids, id) - ids.begin());
    has_long_trip = at < ids.size() && local - times.at(at) >= kLongTrip;
}

IceRules::Connection& IceRules::connection(const Host& host, const Grant& grant) {
    auto& connection = connections_[{host.device, grant.peer}];
    if (connection.since != grant.since || connection.allowed_nominations == 0) {
        connection = Connection{.since = grant.since, .allowed_nominations = kNominationsAtFirst};
    }
    return connection;
}

const IceRules::Connection* IceRules::find(const Host& host, const Uuid& peer) const {
    const auto found = connections_.find({host.device, peer});
    return found == connections_.end() ? nullptr : &found->second;
}

void IceRules::handle_candidates(Host& host, const Uuid& peer, const std::vector<std::string>& candidates, Instant) {
    const auto grant = std::ranges::find_if(host.grants, [&](const auto& entry) { return entry.second.peer == peer; });
    if (grant == host.grants.end()) {
        return;
    }
    auto& known = connection(host, grant->second);
    for (const auto& line : candidates) {
        const auto candidate = CandidateLine::read(line);
        if (!candidate) {
            continue;
        }
        if (known.signalled.insert(candidate->address).second) {
            known.allowed_nominations += kNominationsPerCandidate;
        }
        if (candidate->address.is_v4() && candidate->kind == CandidateKind::kHost) {
            known.host_ports.insert(candidate->address.port);
        } else if (candidate->address.is_v4() && candidate->kind == CandidateKind::kServerReflexive) {
            known.reflexive_ips.insert(candidate->address.ip);
        }
    }
}

bool IceRules::may_be_checked(const Connection& connection, const net::SocketAddress& remote) {
    // Signalled, peer-reflexive, or the optimistic combination of a reflexive address and a host's port (3.7).
    return connection.signalled.contains(remote) || connection.authentic.contains(remote) ||
           (connection.reflexive_ips.contains(remote.ip) && connection.host_ports.contains(remote.port));
}

bool IceRules::is_open(const Host& host, const Uuid& peer, const Leg& leg) const {
    const auto* known = find(host, peer);
    return known != nullptr && (host.is_client() ? known->answered : known->authentic).contains(leg.remote);
}

Instant IceRules::last_nomination(const Host& host, const Uuid& peer) const {
    const auto* known = find(host, peer);
    return known == nullptr ? Instant{} : known->last_nomination;
}

// --- Sent ---

void IceRules::handle_sent(const PeerDatagram& datagram, const StunMessage& message) {
    const bool is_request = message.type() == stun_type::kBinding;
    auto complaint = is_request ? judge_check(datagram, message) : judge_answer(datagram, message);
    if (complaint.empty() && datagram.ecn != net::Ecn::kNotEct) {
        complaint = "STUN is sent with ECN";
    }
    findings_.judge("PRO-1", complaint, datagram.now, [&] { return datagram.describe(); });
}

Complaint IceRules::judge_check(const PeerDatagram& datagram, const StunMessage& message) {
    auto& host = datagram.host;
    const bool controls = host.is_client();
    if (!message.has_order({{kUsername},
                            {controls ? kIceControlling : kIceControlled},
                            {kPriority},
                            {kUseCandidate, true},
                            {kMessageIntegrity},
                            {kFingerprint}}) ||
        (!controls && message.has(kUseCandidate))) {
        return "attributes of a connectivity check are not those of the sender's role, in order";
    }
    if (message.find(controls ? kIceControlling : kIceControlled)->size() != 8 || !message.number(kPriority) ||
        (message.has(kUseCandidate) && !message.find(kUseCandidate)->empty())) {
        return "an attribute of a connectivity check has the wrong size";
    }
    if (!is_check_priority(*message.number(kPriority), datagram.leg)) {
        return "PRIORITY of a connectivity check is not that of a peer-reflexive candidate";
    }
    const auto grant = host.grants.find(message.text(kUsername));
    if (grant == host.grants.end() && host.may_still_use(message.text(kUsername), datagram.now)) {
        findings_.tolerate(Excuse::kQueued);
        return {};
    }
    if (grant == host.grants.end()) {
        return "USERNAME of a connectivity check is not one that the portal gave out";
    }
    auto& known = connection(host, grant->second);
    if (!message.has_fingerprint()) {
        return "FINGERPRINT is wrong";
    }
    ++known.verified;
    if ((known.verified <= kAlwaysVerified || known.verified % kSample == 0) &&
        !message.has_integrity(as_bytes(grant->second.remote.password))) {
        return "MESSAGE-INTEGRITY of a connectivity check is not made with the receiver's password";
    }
    findings_.count(datagram.leg.is_relayed ? "wire: check through a relay" : "wire: check");
    findings_.judge(controls ? "PRO-1" : "SEC-5",
                    may_be_checked(known, datagram.leg.remote)
                        ? Complaint{}
                        : "connectivity check to an address that is no candidate of the peer",
                    datagram.now, [&] { return datagram.describe(); });

    if (auto complaint = note_agent(datagram, known,
                                    load_be<std::uint64_t>(*message.find(controls ? kIceControlling : kIceControlled)));
        !complaint.empty()) {
        return complaint;
    }
    const auto [path, is_new] = known.paths.try_emplace(datagram.leg);
    if (is_new && std::ssize(known.paths) > kMaxPairs) {
        // Those that are gone are not checked any more; a full list may be replaced once while we look.
        const auto local = host.local(datagram.now);
        const auto active = std::ranges::count_if(known.paths, [&](const auto& entry) {
            return entry.second.count > 0 && local - entry.second.last < kLongestPause;
        });
        findings_.judge("RES-3", active < 2 * kMaxPairs ? Complaint{} : "too many pairs are checked", datagram.now,
                        [&] { return datagram.describe(); });
    }
    if (message.has(kUseCandidate) && !path->second.is_nominated) {
        path->second.is_nominated = true;
        note_nomination(datagram, known);
    }
    return judge_schedule(datagram, path->second, message.transaction_id());
}

/// Each agent has a tie-breaker of its own (RFC 8445, 5.1.1) and begins its schedules anew.
Complaint IceRules::note_agent(const PeerDatagram& datagram, Connection& known, std::uint64_t tie_breaker) {
    if (known.tie_breaker == tie_breaker) {
        return {};
    }
    const auto local = datagram.host.local(datagram.now);
    if (known.tie_breaker) {
        findings_.count("wire: connection made anew");
        for (auto& [leg, path] : known.paths) {
            path.count = 0;
        }
    }
    known.tie_breaker = tie_breaker;
    known.lives.push_back(local);
    std::erase_if(known.lives, [&](Instant since) { return since + kLivesCounted < local; });
    return known.lives.size() <= kMostLives ? Complaint{} : "a connection is made anew again and again";
}

Complaint IceRules::judge_schedule(const PeerDatagram& datagram, Path& path, const TransactionId& id) {
    const auto at = path.count % Path::kMaxChecks;
    const auto local = datagram.host.local(datagram.now);
    Complaint complaint;
    const auto kept = std::min(path.count, Path::kMaxChecks);
    if (std::ranges::find(path.ids.begin(), path.ids.begin() + static_cast<std::ptrdiff_t>(kept), id) !=
        path.ids.begin() + static_cast<std::ptrdiff_t>(kept)) {
        complaint = "a connectivity check repeats a transaction id";
    } else if (path.count >= Path::kMaxChecks &&
               local - path.times[at] < (path.has_long_trip ? kTwelveChecksOnALongTrip : kTwelveChecks) &&
               hosts_.calm().holds(datagram.now)) {
        complaint = "a pair is checked too often";
    }
    path.last = local;
    path.ids[at] = id;
    path.times[at] = local;
    ++path.count;
    return complaint;
}

void IceRules::note_nomination(const PeerDatagram& datagram, Connection& known) {
    findings_.count("wire: nomination");
    ++known.nominations;
    known.last_nomination = datagram.now;
    if (!hosts_.calm().holds(datagram.now)) {
        known.allowed_nominations = std::max(known.allowed_nominations, known.nominations);
    }
    findings_.judge(
        "STA-3", known.nominations <= known.allowed_nominations ? Complaint{} : "pairs are nominated again and again",
        datagram.now, [&] { return datagram.describe(); });
}

Complaint IceRules::judge_answer(const PeerDatagram& datagram, const StunMessage& message) {
    if (message.type() != (stun_type::kBinding | stun_type::kSuccess)) {
        return "a peer is sent STUN other than Binding requests and successes";
    }
    if (!message.has_order({{kXorMappedAddress}, {kMessageIntegrity}, {kFingerprint}})) {
        return "attributes of a check's answer are not those of the specification, in order";
    }
    if (message.xor_address(kXorMappedAddress) != datagram.leg.remote) {
        return "XOR-MAPPED-ADDRESS of a check's answer is not where it is sent to";
    }
    if (!message.has_fingerprint()) {
        return "FINGERPRINT is wrong";
    }
    auto& requests = requests_[datagram.host.device];
    const auto id = message.transaction_id();
    // Most answers are to one of the newest.
    const auto request = std::ranges::find_if(std::views::reverse(requests),
                                              [&](const Request& r) { return r.id == id && r.leg == datagram.leg; });
    if (request == requests.rend()) {
        return "an answer to a connectivity check that nobody sent, or a second one";
    }
    const auto password = std::move(request->password);
    requests.erase(std::prev(request.base()));
    ++answers_;
    if ((answers_ <= kAlwaysVerified || answers_ % kSample == 0) && !message.has_integrity(as_bytes(password))) {
        return "MESSAGE-INTEGRITY of a check's answer is not made with the sender's own password";
    }
    return {};
}

// --- Received ---

void IceRules::handle_received(const PeerDatagram& datagram, const StunMessage& message) {
    auto& host = datagram.host;
    if (message.type() == stun_type::kBinding) {
        const auto grant = host.grants.find(flipped(message.text(kUsername)));
        if (grant == host.grants.end()) {
            return;
        }
        auto& known = connection(host, grant->second);
        const auto& password = grant->second.local.password;
        if (datagram.is_attack || !known.authentic.contains(datagram.leg.remote)) {
            if (!message.has_integrity(as_bytes(password))) {
                return;
            }
            known.authentic.insert(datagram.leg.remote);
        }
        auto& requests = requests_[host.device];
        requests.push_back({message.transaction_id(), datagram.leg, password});
        if (requests.size() > kMaxRequests) {
            requests.pop_front();
        }
        return;
    }
    if (message.type() != (stun_type::kBinding | stun_type::kSuccess)) {
        return;
    }
    const auto id = message.transaction_id();
    const auto has_sent = [&](const Path& path) { return std::ranges::find(path.ids, id) != path.ids.end(); };
    for (const auto& [username, grant] : host.grants) {
        auto& known = connection(host, grant);
        // The answer's source does not matter, only what it answers (4.3): a NAT may send it from elsewhere.
        auto path = known.paths.find(datagram.leg);
        if (path == known.paths.end() || !has_sent(path->second)) {
            path = std::ranges::find_if(known.paths, [&](const auto& entry) { return has_sent(entry.second); });
        }
        if (path == known.paths.end()) {
            continue;
        }
        path->second.note_answer(id, host.local(datagram.now));
        if (!known.answered.contains(path->first.remote) && message.has_integrity(as_bytes(grant.remote.password))) {
            known.answered.insert(path->first.remote);
        }
    }
}

}  // namespace culvert::model::wire
