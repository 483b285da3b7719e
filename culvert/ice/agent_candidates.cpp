// The part of Agent that keeps candidates and forms pairs of them (spec/connectivity.md sections 3.5 to 3.7 and 4.1).

#include <algorithm>

#include "culvert/ice/agent.h"

namespace culvert::ice {

std::optional<Candidate> Agent::add_local_candidate(const Candidate& offered, Instant now) {
    auto candidate = offered;
    candidate.ufrag = local_.username;
    const auto n = std::ranges::count_if(locals_, [&](const Entry& entry) {
        return entry.candidate.kind == candidate.kind && entry.candidate.address.family() == candidate.address.family();
    });
    candidate.priority =
        candidate_priority(candidate.kind, local_preference(candidate.kind, candidate.address.family(),
                                                            static_cast<unsigned>(n), candidate.is_cross_family));

    const auto existing = std::ranges::find_if(locals_, [&](const Entry& entry) {
        return entry.candidate.address == candidate.address && entry.candidate.base == candidate.base;
    });
    if (existing != locals_.end()) {
        const bool agrees =
            existing->candidate.kind == candidate.kind && existing->candidate.related == candidate.related;
        if (existing->is_discarded && agrees) {
            existing->is_discarded = false;
            form_pairs_of_local(*existing);
            update_schedule(now);
            return existing->candidate;
        }
        if (candidate.priority < existing->candidate.priority) {
            return std::nullopt;
        }
        discard(*existing, true);
    }
    const auto& entry = append(locals_, candidate);
    form_pairs_of_local(entry);
    update_schedule(now);
    return candidate;
}

bool Agent::add_remote_candidate(const Candidate& candidate, Instant now) {
    if (!candidate.ufrag.empty() && candidate.ufrag != remote_.username) {
        log_.debug("Ignored candidate of another peer", log::field("remote", candidate.address));
        return false;
    }
    if (!is_usable_as_candidate(candidate.address)) {
        log_.debug("Ignored unusable candidate", log::field("remote", candidate.address));
        return false;
    }
    const auto same =
        std::ranges::find_if(remotes_, [&](const Entry& entry) { return entry.candidate.is_same(candidate); });
    if (same != remotes_.end()) {
        if (!same->is_discarded && has_pair_of_remote(same->id)) {
            return true;
        }
        // Starts over, even if checks of this address failed before.
        same->is_discarded = false;
        same->candidate = candidate;
        form_pairs_of_remote(*same);
        update_schedule(now);
        return true;
    }
    const auto reflexive = std::ranges::find_if(remotes_, [&](const Entry& entry) {
        return !entry.is_discarded && entry.candidate.kind == CandidateKind::kPeerReflexive &&
               entry.candidate.address == candidate.address;
    });
    if (reflexive != remotes_.end()) {
        reflexive->candidate = candidate;
        reprioritise_pairs_of_remote(*reflexive);
        form_pairs_of_remote(*reflexive);
    } else {
        form_pairs_of_remote(append(remotes_, candidate));
    }
    update_schedule(now);
    return true;
}

bool Agent::is_in_use(const Candidate& remote) const {
    if (!remote.ufrag.empty() && remote.ufrag != remote_.username) {
        return false;
    }
    const auto same =
        std::ranges::find_if(remotes_, [&](const Entry& entry) { return entry.candidate.is_same(remote); });
    return same != remotes_.end() && !same->is_discarded && has_pair_of_remote(same->id);
}

void Agent::generate_optimistic_candidates(Instant now) {
    const auto ipv4_of_kind = [&](CandidateKind kind) {
        std::vector<net::SocketAddress> addresses;
        for (const auto& entry : remotes_) {
            if (!entry.is_discarded && entry.candidate.kind == kind && entry.candidate.address.is_v4()) {
                addresses.push_back(entry.candidate.address);
            }
        }
        return addresses;
    };
    const auto reflexives = ipv4_of_kind(CandidateKind::kServerReflexive);
    const auto hosts = ipv4_of_kind(CandidateKind::kHost);
    if (reflexives.size() * hosts.size() > kMaxOptimisticGuesses) {
        return;
    }
    std::vector<Candidate> made;
    const auto is_known = [&](const net::SocketAddress& address) {
        const auto is_it = [&](const Candidate& candidate) {
            return candidate.kind == CandidateKind::kServerReflexive && candidate.address == address;
        };
        return std::ranges::any_of(remotes_, is_it, &Entry::candidate) || std::ranges::any_of(made, is_it);
    };
    for (const auto& reflexive : reflexives) {
        for (const auto& host : hosts) {
            const net::SocketAddress guess{reflexive.ip, host.port};
            if (made.size() < kMaxOptimisticPerStep && !is_known(guess)) {
                made.push_back(*server_reflexive_candidate(guess, host));
            }
        }
    }
    for (const auto& candidate : made) {
        form_pairs_of_remote(append(remotes_, candidate));
    }
    update_schedule(now);
}

bool Agent::remove_local_candidate(const Candidate& candidate) {
    const auto entry = std::ranges::find_if(
        locals_, [&](const Entry& e) { return !e.is_discarded && e.candidate.is_same(candidate); });
    if (entry == locals_.end()) {
        return false;
    }
    discard(*entry, true);
    return true;
}

bool Agent::remove_remote_candidate(const Candidate& candidate) {
    const auto entry = std::ranges::find_if(
        remotes_, [&](const Entry& e) { return !e.is_discarded && e.candidate.is_same(candidate); });
    if (entry == remotes_.end()) {
        return false;
    }
    discard(*entry, false);
    return true;
}

std::vector<Candidate> Agent::local_candidates() const {
    std::vector<Candidate> result;
    for (const auto& entry : locals_) {
        if (!entry.is_discarded) {
            result.push_back(entry.candidate);
        }
    }
    return result;
}

std::vector<Candidate> Agent::remote_candidates() const {
    std::vector<Candidate> result;
    for (const auto& entry : remotes_) {
        if (!entry.is_discarded) {
            result.push_back(entry.candidate);
        }
    }
    return result;
}

void Agent::discard(Entry& entry, bool is_local) {
    entry.is_discarded = true;
    std::erase_if(
        pairs_, [&](const CandidatePair& pair) { return (is_local ? pair.local().id : pair.remote().id) == entry.id; });
}

/// The remote candidate that sent a request from `from`; a new peer-reflexive one if the address is unknown, null if
/// it must not be used any more.
///
/// A reflexive candidate is withdrawn because relays see the peer elsewhere. What comes from there nevertheless proves
/// that the address still is, or by chance became, a mapping towards us.
Agent::Entry* Agent::remote_of_request(const net::SocketAddress& from, std::uint32_t priority) {
    Entry* best = nullptr;
    bool is_discarded = false;
    for (auto& entry : remotes_) {
        if (entry.candidate.address != from) {
            continue;
        }
        if (entry.is_discarded) {
            is_discarded = is_discarded || entry.candidate.kind != CandidateKind::kServerReflexive;
        } else if (best == nullptr || entry.candidate.priority > best->candidate.priority) {
            best = &entry;
        }
    }
    if (best != nullptr || is_discarded) {
        return best;
    }
    log_.debug("Learned peer-reflexive candidate", log::field("remote", from));
    return &append(remotes_,
                   {.kind = CandidateKind::kPeerReflexive, .address = from, .base = from, .priority = priority});
}

Agent::Entry* Agent::local_at(const net::SocketAddress& address) {
    Entry* found = nullptr;
    for (auto& entry : locals_) {
        if (entry.candidate.address == address && (found == nullptr || found->is_discarded)) {
            found = &entry;
        }
    }
    return found;
}

/// Forgets the oldest candidate without pairs, discarded ones first, once there are too many.
Agent::Entry& Agent::append(std::vector<Entry>& entries, Candidate candidate) {
    if (entries.size() >= kMaxCandidates) {
        auto victim = std::ranges::find_if(entries, &Entry::is_discarded);
        if (victim == entries.end()) {
            victim = std::ranges::find_if(entries, [&](const Entry& entry) {
                return !has_pair_of_local(entry.id) && !has_pair_of_remote(entry.id);
            });
        }
        if (victim == entries.end()) {
            victim = entries.begin();
            std::erase_if(pairs_, [&](const CandidatePair& pair) {
                return pair.local().id == victim->id || pair.remote().id == victim->id;
            });
        }
        entries.erase(victim);
    }
    return entries.emplace_back(next_candidate_id_++, std::move(candidate));
}

bool Agent::has_pair_of_local(std::uint32_t id) const {
    return std::ranges::any_of(pairs_, [&](const CandidatePair& pair) { return pair.local().id == id; });
}

bool Agent::has_pair_of_remote(std::uint32_t id) const {
    return std::ranges::any_of(pairs_, [&](const CandidatePair& pair) { return pair.remote().id == id; });
}

void Agent::form_pairs_of_local(const Entry& local) {
    for (const auto& remote : remotes_) {
        if (!remote.is_discarded) {
            form_pair(local, remote);
        }
    }
}

void Agent::form_pairs_of_remote(const Entry& remote) {
    for (const auto& local : locals_) {
        if (!local.is_discarded) {
            form_pair(local, remote);
        }
    }
}

/// A peer-reflexive candidate was guessed to be as good as a host's. Now that the peer says what it is, its pairs get
/// the priority that the peer computes for them too: otherwise the two sides would settle on different pairs for good.
void Agent::reprioritise_pairs_of_remote(const Entry& remote) {
    const auto& r = remote.candidate;
    for (auto& pair : pairs_) {
        if (pair.remote().id != remote.id) {
            continue;
        }
        const auto local = std::ranges::find(locals_, pair.local().id, &Entry::id);
        if (local != locals_.end()) {
            pair.replace_remote({remote.id, r.kind, r.address, r.base}, priority_of(local->candidate, r));
        }
    }
    std::ranges::sort(pairs_, std::greater{}, &CandidatePair::priority);
}

std::uint64_t Agent::priority_of(const Candidate& local, const Candidate& remote) const {
    return role_ == AgentRole::kControlling ? pair_priority(local.priority, remote.priority)
                                            : pair_priority(remote.priority, local.priority);
}

void Agent::form_pair(const Entry& local, const Entry& remote) {
    const auto& l = local.candidate;
    const auto& r = remote.candidate;
    if (l.address.family() != r.address.family()) {
        return;
    }
    const auto priority = priority_of(l, r);
    CandidatePair pair{
        {local.id, l.kind, l.address, l.base}, {remote.id, r.kind, r.address, r.base}, priority, check_priority(l)};
    if (auto* existing = find_pair(Nominated{l.base, r.address})) {
        if (existing->priority() >= priority) {
            return;
        }
        pair.inherit_nomination(*existing);
        pairs_.erase(pairs_.begin() + (existing - pairs_.data()));
    }
    const auto place = std::ranges::upper_bound(pairs_, priority, std::greater{}, &CandidatePair::priority);
    pairs_.insert(place, std::move(pair));
    if (pairs_.size() > kMaxPairs) {
        log_.debug("Too many candidate pairs, dropped the worst");
        pairs_.pop_back();
    }
}

}  // namespace culvert::ice
