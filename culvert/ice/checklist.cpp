#include "culvert/ice/checklist.h"

#include <algorithm>
#include <functional>

#include "culvert/base/deadlines.h"

namespace culvert::ice {
namespace {

CandidatePair::End end_of(const CandidateSet::Entry& entry) {
    return {entry.id, entry.candidate.kind, entry.candidate.address, entry.candidate.base};
}

bool belongs_to(const CandidatePair& pair, std::uint32_t candidate) {
    return pair.local().id == candidate || pair.remote().id == candidate;
}

}  // namespace

CandidatePair* Checklist::find(const net::SocketAddress& base, const net::SocketAddress& remote) {
    const auto pair = std::ranges::find_if(
        pairs_, [&](const CandidatePair& p) { return p.local().base == base && p.remote().address == remote; });
    return pair == pairs_.end() ? nullptr : &*pair;
}

CandidatePair* Checklist::find(const TransactionId& check) {
    const auto pair = std::ranges::find_if(pairs_, [&](const CandidatePair& p) { return p.has_check(check); });
    return pair == pairs_.end() ? nullptr : &*pair;
}

bool Checklist::has_pair_of(std::uint32_t candidate) const {
    return std::ranges::any_of(pairs_, [&](const CandidatePair& pair) { return belongs_to(pair, candidate); });
}

bool Checklist::has_nominated() const {
    return std::ranges::any_of(pairs_, &CandidatePair::is_nominated);
}

bool Checklist::add(const CandidateSet::Entry& local, const CandidateSet::Entry& remote) {
    if (local.candidate.address.family() != remote.candidate.address.family()) {
        return true;
    }
    const auto priority = priority_of(local.candidate, remote.candidate);
    CandidatePair pair{end_of(local), end_of(remote), priority, check_priority(local.candidate)};
    if (auto* existing = find(local.candidate.base, remote.candidate.address)) {
        if (existing->priority() >= priority) {
            return true;
        }
        pair.inherit_nomination(*existing);
        pairs_.erase(pairs_.begin() + (existing - pairs_.data()));
    }
    const auto place = std::ranges::upper_bound(pairs_, priority, std::greater{}, &CandidatePair::priority);
    pairs_.insert(place, std::move(pair));
    if (pairs_.size() > kMaxPairs) {
        const auto worst = std::ranges::find_if_not(pairs_.rbegin(), pairs_.rend(), &CandidatePair::is_nominated);
        pairs_.erase(worst == pairs_.rend() ? std::prev(pairs_.end()) : std::prev(worst.base()));
        return false;
    }
    return true;
}

void Checklist::remove_pairs_of(std::uint32_t candidate) {
    std::erase_if(pairs_, [&](const CandidatePair& pair) { return belongs_to(pair, candidate); });
}

void Checklist::reprioritise(const CandidateSet::Entry& remote, const CandidateSet& locals) {
    for (auto& pair : pairs_) {
        if (pair.remote().id != remote.id) {
            continue;
        }
        if (const auto* local = locals.find_by_id(pair.local().id)) {
            pair.replace_remote(end_of(remote), priority_of(local->candidate, remote.candidate));
        }
    }
    std::ranges::sort(pairs_, std::greater{}, &CandidatePair::priority);
}

CandidatePair* Checklist::next_due(const CheckTiming& timing, Instant now) {
    CandidatePair* most_overdue = nullptr;
    for (auto& pair : pairs_) {
        if (pair.next_check(timing, now) > now) {
            continue;
        }
        if (pair.nomination() == CandidatePair::Nomination::kPending) {
            return &pair;
        }
        if (most_overdue == nullptr || pair.next_check(timing, now) < most_overdue->next_check(timing, now)) {
            most_overdue = &pair;
        }
    }
    return most_overdue;
}

std::optional<Instant> Checklist::next_check(const CheckTiming& timing, Instant now) {
    std::optional<Instant> next;
    for (auto& pair : pairs_) {
        next = earliest(next, pair.next_check(timing, now));
    }
    return next;
}

std::uint64_t Checklist::priority_of(const Candidate& local, const Candidate& remote) const {
    return role_ == AgentRole::kControlling ? pair_priority(local.priority, remote.priority)
                                            : pair_priority(remote.priority, local.priority);
}

}  // namespace culvert::ice
