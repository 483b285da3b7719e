#include "culvert/ice/optimistic_candidates.h"

#include <algorithm>

#include "culvert/ice/constants.h"

namespace culvert::ice {
namespace {

std::vector<net::SocketAddress> ipv4_of_kind(const CandidateSet& candidates, CandidateKind kind) {
    std::vector<net::SocketAddress> addresses;
    for (const auto& entry : candidates.entries()) {
        if (!entry.is_discarded && entry.candidate.kind == kind && entry.candidate.address.is_v4()) {
            addresses.push_back(entry.candidate.address);
        }
    }
    return addresses;
}

}  // namespace

std::vector<Candidate> guess_candidates(const CandidateSet& remotes) {
    const auto reflexives = ipv4_of_kind(remotes, CandidateKind::kServerReflexive);
    const auto hosts = ipv4_of_kind(remotes, CandidateKind::kHost);
    if (reflexives.size() * hosts.size() > kMaxOptimisticGuesses) {
        return {};
    }
    std::vector<Candidate> made;
    const auto is_known = [&](const net::SocketAddress& address) {
        const auto is_it = [&](const Candidate& candidate) {
            return candidate.kind == CandidateKind::kServerReflexive && candidate.address == address;
        };
        return std::ranges::any_of(remotes.entries(), is_it, &CandidateSet::Entry::candidate) ||
               std::ranges::any_of(made, is_it);
    };
    for (const auto& reflexive : reflexives) {
        for (const auto& host : hosts) {
            const net::SocketAddress guess{reflexive.ip, host.port};
            if (made.size() < kMaxOptimisticPerStep && !is_known(guess)) {
                made.push_back(*server_reflexive_candidate(guess, host));
            }
        }
    }
    return made;
}

}  // namespace culvert::ice
