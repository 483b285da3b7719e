#include "culvert/ice/candidate_set.h"

#include <algorithm>

#include "culvert/ice/checklist.h"
#include "culvert/ice/constants.h"

namespace culvert::ice {
namespace {

/// Of a range of entries the first for which `is_it` holds.
template <typename Entries, typename Predicate>
auto* first_of(Entries& entries, const Predicate& is_it) {
    const auto found = std::ranges::find_if(entries, is_it);
    return found == entries.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Candidate> CandidateSet::in_use() const {
    std::vector<Candidate> result;
    for (const auto& entry : entries_) {
        if (!entry.is_discarded) {
            result.push_back(entry.candidate);
        }
    }
    return result;
}

unsigned CandidateSet::count(CandidateKind kind, net::Family family) const {
    return static_cast<unsigned>(std::ranges::count_if(entries_, [&](const Entry& entry) {
        return entry.candidate.kind == kind && entry.candidate.address.family() == family;
    }));
}

CandidateSet::Entry* CandidateSet::find(const Candidate& candidate) {
    return first_of(entries_, [&](const Entry& entry) { return entry.candidate.is_same(candidate); });
}

const CandidateSet::Entry* CandidateSet::find(const Candidate& candidate) const {
    return first_of(entries_, [&](const Entry& entry) { return entry.candidate.is_same(candidate); });
}

CandidateSet::Entry* CandidateSet::find_in_use(const Candidate& candidate) {
    return first_of(entries_,
                    [&](const Entry& entry) { return !entry.is_discarded && entry.candidate.is_same(candidate); });
}

CandidateSet::Entry* CandidateSet::find_by_base(const net::SocketAddress& address, const net::SocketAddress& base) {
    return first_of(entries_, [&](const Entry& entry) {
        return entry.candidate.address == address && entry.candidate.base == base;
    });
}

const CandidateSet::Entry* CandidateSet::find_by_id(std::uint32_t id) const {
    return first_of(entries_, [&](const Entry& entry) { return entry.id == id; });
}

CandidateSet::Entry* CandidateSet::find_peer_reflexive(const net::SocketAddress& address) {
    return first_of(entries_, [&](const Entry& entry) {
        return !entry.is_discarded && entry.candidate.kind == CandidateKind::kPeerReflexive &&
               entry.candidate.address == address;
    });
}

const CandidateSet::Entry* CandidateSet::find_by_address(const net::SocketAddress& address) const {
    const Entry* found = nullptr;
    for (const auto& entry : entries_) {
        if (entry.candidate.address == address && (found == nullptr || found->is_discarded)) {
            found = &entry;
        }
    }
    return found;
}

/// A reflexive candidate is withdrawn because relays see the peer elsewhere. What comes from there nevertheless proves
/// that the address still is, or by chance became, a mapping towards us.
CandidateSet::Sender CandidateSet::find_sender(const net::SocketAddress& from) const {
    Sender sender;
    for (const auto& entry : entries_) {
        if (entry.candidate.address != from) {
            continue;
        }
        if (entry.is_discarded) {
            sender.is_withdrawn = sender.is_withdrawn || entry.candidate.kind != CandidateKind::kServerReflexive;
        } else if (sender.entry == nullptr || entry.candidate.priority > sender.entry->candidate.priority) {
            sender.entry = &entry;
        }
    }
    return sender;
}

CandidateSet::Entry& CandidateSet::add(std::uint32_t id, Candidate candidate, Checklist& checklist) {
    if (entries_.size() >= kMaxCandidates) {
        auto victim = std::ranges::find_if(entries_, &Entry::is_discarded);
        if (victim == entries_.end()) {
            victim =
                std::ranges::find_if(entries_, [&](const Entry& entry) { return !checklist.has_pair_of(entry.id); });
        }
        if (victim == entries_.end()) {
            victim = entries_.begin();
            checklist.remove_pairs_of(victim->id);
        }
        entries_.erase(victim);
    }
    return entries_.emplace_back(id, std::move(candidate));
}

}  // namespace culvert::ice
