#include "tests/model/wire/signalling_rules.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/tunnel/constants.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

/// At most one create_flow per resource (spec/portal-protocol.md 6.2).
constexpr Duration kAskAgain = tunnel::kIntentInterval;
/// Longer than a message is on its way to the portal unless the connection is disturbed.
constexpr Duration kInFlight = 1s;

template <typename IdType>
std::vector<Uuid> uuids(const std::vector<IdType>& ids) {
    std::vector<Uuid> all;
    for (const auto& id : ids) {
        all.push_back(id.uuid());
    }
    return all;
}

std::size_t count_family(const std::set<net::SocketAddress>& addresses, net::Family family) {
    return static_cast<std::size_t>(
        std::ranges::count_if(addresses, [&](const auto& address) { return address.family() == family; }));
}

}  // namespace

void SignallingRules::handle_message(Host& host, const portal_api::FromDevice& message, Instant now) {
    const auto handle =
        overloaded{[&](const portal_api::CreateFlow& m) { handle_create_flow(host, m.resource_id, now); },
                   [&](const portal_api::BroadcastGatewayIceCandidates& m) {
                       handle_candidates(host, uuids(m.gateway_ids), m.candidates, now);
                   },
                   [&](const portal_api::BroadcastInvalidatedGatewayIceCandidates& m) {
                       handle_withdrawal(host, uuids(m.gateway_ids), m.candidates, now);
                   },
                   [&](const portal_api::FlowAuthorized&) {},
                   [&](const portal_api::BroadcastClientIceCandidates& m) {
                       handle_candidates(host, uuids(m.client_ids), m.candidates, now);
                   },
                   [&](const portal_api::BroadcastInvalidatedClientIceCandidates& m) {
                       handle_withdrawal(host, uuids(m.client_ids), m.candidates, now);
                   },
                   [](const portal_api::NoRelays&) {},
                   [](const portal_api::SnownetCapabilities&) {}};
    std::visit([&](const auto& from) { std::visit(handle, from); }, message);
}

void SignallingRules::handle_candidates(Host& host, const std::vector<Uuid>& peers,
                                        const std::vector<std::string>& lines, Instant now) {
    for (const auto& peer : peers) {
        const auto* grant = host.find_grant(peer);
        if (grant == nullptr) {
            // A message of an earlier run may arrive in the next.
            findings_.judge("PRO-1",
                            hosts_.calm().holds(host.device, now)
                                ? "candidates are sent to a peer that the portal named to nobody"
                                : Complaint{},
                            now, [&] { return host.name(); });
            continue;
        }
        auto& signalled = signalled_[{host.device, peer}];
        if (signalled.since != grant->since) {
            signalled = Signalled{.since = grant->since};
        }
        // Before the batch: what replaces another is announced before the other is withdrawn.
        findings_.judge("RES-3", judge_numbers(host, signalled), now, [&] { return host.name(); });
        auto above = std::numeric_limits<std::uint32_t>::max();
        for (const auto& line : lines) {
            const auto complaint = judge_candidate(host, line, signalled, now);
            findings_.judge("PRO-1", complaint, now, [&] { return host.name() + ", " + line; });
            if (const auto candidate = CandidateLine::parse(line)) {
                findings_.judge(
                    "PRO-1", candidate->priority <= above ? Complaint{} : "candidates are not in descending priority",
                    now, [&] { return host.name() + ", " + line; });
                above = candidate->priority;
            }
        }
    }
}

Complaint SignallingRules::judge_candidate(const Host& host, std::string_view line, Signalled& signalled, Instant now) {
    const auto candidate = CandidateLine::parse(line);
    if (!candidate) {
        return candidate.error();
    }
    if (!candidate->has_valid_priority()) {
        return "a candidate's priority does not follow from its kind and family";
    }
    const bool must_have_ufrag = candidate->kind != CandidateKind::kServerReflexive;
    if (candidate->ufrag.has_value() != must_have_ufrag ||
        (candidate->ufrag && !host.ufrags.contains(*candidate->ufrag))) {
        return "a candidate's ufrag is missing, wrong, or on a reflexive one";
    }
    switch (candidate->kind) {
        case CandidateKind::kHost:
            signalled.hosts.insert(candidate->address);
            return host.has_address(candidate->address.ip) || (host.former_addresses.contains(candidate->address.ip) &&
                                                               !hosts_.calm().holds(host.device, now))
                       ? Complaint{}
                       : "a host candidate is not the host's address";
        case CandidateKind::kServerReflexive:
            signalled.reflexive.insert(candidate->address);
            return turn_.was_mapped(host, candidate->address) ? Complaint{}
                                                              : "a reflexive candidate is no address that a relay saw";
        case CandidateKind::kRelay:
            signalled.relayed.insert(candidate->address);
            if (!turn_.was_relayed(host, candidate->address)) {
                return "a relay candidate is no address that a relay allocated";
            }
            const auto withdrawn = signalled.withdrawn.find(candidate->address);
            return withdrawn == signalled.withdrawn.end() ||
                           turn_.allocations_of(host, candidate->address) > withdrawn->second
                       ? Complaint{}
                       : "a withdrawn candidate is signalled again";
    }
    return {};
}

Complaint SignallingRules::judge_numbers(const Host& host, const Signalled& signalled) {
    std::map<RelayId, int> relays;
    for (const auto& [address, relay] : host.relays) {
        ++relays[relay.id];
    }
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        // NATs that change give others.
        if (count_family(signalled.reflexive, family) > std::max<std::size_t>(1, relays.size()) &&
            !host.has_impatient_nat && hosts_.calm().disturbed_at() < signalled.since - kSettleTime) {
            return "more reflexive candidates of one family than relays";
        }
        std::set<net::SocketAddress> present;
        std::ranges::copy_if(signalled.hosts, std::inserter(present, present.end()),
                             [&](const auto& address) { return host.has_address(address.ip); });
        if (count_family(present, family) > host.addresses.size()) {
            return "more host candidates than the host has addresses";
        }
    }
    return {};
}

void SignallingRules::handle_withdrawal(Host& host, const std::vector<Uuid>& peers,
                                        const std::vector<std::string>& lines, Instant now) {
    for (const auto& line : lines) {
        const auto candidate = CandidateLine::parse(line);
        const Complaint complaint = candidate ? judge_withdrawal(host, *candidate) : candidate.error();
        findings_.judge("PRO-1", complaint, now, [&] { return host.name() + ", " + line; });
        if (!candidate) {
            continue;
        }
        for (const auto& peer : peers) {
            signalled_[{host.device, peer}].withdrawn.insert_or_assign(candidate->address,
                                                                       turn_.allocations_of(host, candidate->address));
        }
    }
}

/// A peer that is told that a path is gone gives it up even if it works (spec/testing.md section 5, item 20). Of a host
/// that has moved away from an address it is told.
Complaint SignallingRules::judge_withdrawal(const Host& host, const CandidateLine& candidate) {
    switch (candidate.kind) {
        case CandidateKind::kHost:
            return host.former_addresses.contains(candidate.address.ip)
                       ? Complaint{}
                       : "a host candidate is withdrawn, although the host has not moved";
        case CandidateKind::kServerReflexive:
            return !host.former_addresses.empty()
                       ? Complaint{}
                       : "a reflexive candidate is withdrawn, although the host has not moved";
        case CandidateKind::kRelay:
            return {};
    }
    return {};
}

void SignallingRules::handle_end_of_flow(Host& host, const ResourceId& resource, Instant now) {
    ended_.insert_or_assign({host.device, resource}, now);
}

void SignallingRules::handle_create_flow(Host& host, const ResourceId& resource, Instant now) {
    const auto [entry, is_first] = asked_.try_emplace({host.device, resource}, now);
    const auto before = std::exchange(entry->second, now);
    const auto ended = ended_.find(entry->first);
    // What was asked for over an earlier session is asked for again over the next, where requests that waited for it
    // arrive together. The flow may have ended with an answer or with its resource (spec/tunnel.md 3.9), maybe while
    // the request that is seen when it arrives was on its way.
    const bool is_unanswered = !is_first && host.session_opened && before >= *host.session_opened &&
                               (ended == ended_.end() || ended->second < before - kInFlight);
    const Complaint complaint = is_unanswered && now - before < kAskAgain && hosts_.calm().holds(host.device, before)
                                    ? "an unanswered request for a flow is repeated within 2 s"
                                    : Complaint{};
    findings_.judge("RES-2", complaint, now, [&] { return host.name() + ", resource " + resource.to_string(); });
}

}  // namespace culvert::model::wire
