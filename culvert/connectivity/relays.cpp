#include "culvert/connectivity/relays.h"

#include <algorithm>
#include <tuple>

#include "culvert/connectivity/constants.h"

namespace culvert::connectivity {

turn::Allocation& Relays::insert(const RelayId& id, turn::Allocation allocation) {
    return table_.insert_or_assign(id, std::move(allocation)).first->second;
}

void Relays::erase(const RelayId& id) {
    last_hit_ = table_.end();
    table_.erase(id);
}

void Relays::clear() {
    table_.clear();
    last_hit_ = table_.end();
}

turn::Allocation* Relays::find(const RelayId& id) {
    const auto found = table_.find(id);
    return found == table_.end() ? nullptr : &found->second;
}

turn::Allocation* Relays::find_by_server(const net::SocketAddress& server) {
    if (last_hit_ != table_.end() && last_hit_->second.matches(server)) {
        return &last_hit_->second;
    }
    last_hit_ = std::ranges::find_if(table_, [&](const auto& entry) { return entry.second.matches(server); });
    return last_hit_ == table_.end() ? nullptr : &last_hit_->second;
}

turn::Allocation* Relays::find_by_relay_address(const net::SocketAddress& address) {
    const auto found =
        std::ranges::find_if(table_, [&](const auto& entry) { return entry.second.is_relay_address(address); });
    return found == table_.end() ? nullptr : &found->second;
}

std::optional<RelayId> Relays::select(const LostRelays& lost, Rng& rng) const {
    enum class Fitness : std::uint8_t { kAny, kMayAnswerSoon, kAllocated };
    const auto fitness_of = [](const turn::Allocation& allocation) {
        return allocation.has_allocation()  ? Fitness::kAllocated
               : !allocation.is_suspended() ? Fitness::kMayAnswerSoon
                                            : Fitness::kAny;
    };
    auto fitness = Fitness::kAny;
    auto nearest = Duration::max();
    for (const auto& [id, allocation] : table_) {
        if (lost.contains(id)) {
            continue;
        }
        fitness = std::max(fitness, fitness_of(allocation));
        if (allocation.has_allocation()) {
            nearest = std::min(nearest, allocation.round_trip().value_or(nearest));
        }
    }
    std::vector<RelayId> fit;
    for (const auto& [id, allocation] : table_) {
        const auto distance = allocation.round_trip().value_or(Duration::max());
        const bool is_near = fitness != Fitness::kAllocated || nearest == Duration::max() ||
                             distance <= nearest + std::max(nearest / 4, kRelayDistanceTolerance);
        if (!lost.contains(id) && fitness_of(allocation) == fitness && is_near) {
            fit.push_back(id);
        }
    }
    return fit.empty() ? std::nullopt : std::optional{fit[rng.below(fit.size())]};
}

std::vector<ice::Candidate> Relays::seed_candidates(const std::optional<RelayId>& selected) const {
    std::vector<ice::Candidate> seeds;
    for (const auto& [id, allocation] : table_) {
        for (const auto& candidate : allocation.candidates()) {
            if (candidate.kind == turn::GatheredKind::kRelayed && id != selected) {
                continue;
            }
            const auto seed = to_ice(candidate);
            if (seed && std::ranges::find(seeds, *seed) == seeds.end()) {
                seeds.push_back(*seed);
            }
        }
    }
    sort_for_signalling(seeds);
    return seeds;
}

std::vector<ice::Candidate> Relays::relay_candidates(const RelayId& selected) const {
    auto candidates = seed_candidates(selected);
    std::erase_if(candidates,
                  [](const ice::Candidate& candidate) { return candidate.kind != ice::CandidateKind::kRelay; });
    return candidates;
}

bool Relays::know(const turn::GatheredCandidate& candidate) const {
    return candidate.kind != turn::GatheredKind::kRelayed && std::ranges::any_of(table_, [&](const auto& entry) {
               const auto seen = entry.second.candidates();
               return std::ranges::find(seen, candidate) != seen.end();
           });
}

void sort_for_signalling(std::vector<ice::Candidate>& candidates) {
    std::ranges::sort(candidates, [](const ice::Candidate& a, const ice::Candidate& b) {
        return std::tie(b.priority, a.address) < std::tie(a.priority, b.address);
    });
}

std::optional<ice::Candidate> to_ice(const turn::GatheredCandidate& candidate) {
    switch (candidate.kind) {
        case turn::GatheredKind::kHost:
            return ice::host_candidate(candidate.address);
        case turn::GatheredKind::kServerReflexive:
            return ice::server_reflexive_candidate(candidate.address, candidate.base);
        case turn::GatheredKind::kRelayed: {
            const bool talks_v4 = candidate.address.is_v4() != candidate.is_cross_family;
            return ice::relay_candidate(candidate.address, talks_v4 ? net::Family::kIpv4 : net::Family::kIpv6);
        }
    }
    return std::nullopt;
}

}  // namespace culvert::connectivity
