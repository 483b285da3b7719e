#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/ice/candidate_set.h"
#include "culvert/ice/pair.h"

namespace culvert::ice {

enum class AgentRole { kControlling, kControlled };

/// The candidate pairs of an agent by descending priority (RFC 8445 section 6.1.2; spec/connectivity.md section 4.1).
class Checklist {
public:
    explicit Checklist(AgentRole role) : role_{role} {}

    [[nodiscard]] bool empty() const { return pairs_.empty(); }
    [[nodiscard]] const std::vector<CandidatePair>& pairs() const { return pairs_; }
    /// For what changes neither number nor priority of pairs.
    [[nodiscard]] std::vector<CandidatePair>& pairs() { return pairs_; }

    /// The pair that sends from `base` to `remote`; null if there is none.
    [[nodiscard]] CandidatePair* find(const net::SocketAddress& base, const net::SocketAddress& remote);
    /// The pair one of whose checks this is; null if there is none.
    [[nodiscard]] CandidatePair* find(const TransactionId& check);
    [[nodiscard]] bool has_pair_of(std::uint32_t candidate) const;
    [[nodiscard]] bool has_nominated() const;

    /// Makes a pair, unless the families differ or there is a better one of the same base and address; a worse one is
    /// replaced. False if the worst had to go since there were too many.
    bool add(const CandidateSet::Entry& local, const CandidateSet::Entry& remote);
    void remove_pairs_of(std::uint32_t candidate);

    /// A peer-reflexive candidate was guessed to be as good as a host's. Now that the peer says what it is, its pairs
    /// get the priority that the peer computes for them too: otherwise the two sides would settle on different pairs
    /// for good.
    void reprioritise(const CandidateSet::Entry& remote, const CandidateSet& locals);

    /// Hands each pair that has failed by now to `tell`, and drops it.
    template <typename Tell>
    void remove_failed(const CheckTiming& timing, Instant now, const Tell& tell) {
        std::erase_if(pairs_, [&](const CandidatePair& pair) {
            const bool has_failed = pair.has_failed(timing, now);
            if (has_failed) {
                tell(pair);
            }
            return has_failed;
        });
    }

    /// Whose check is due, the most overdue first, but before all others one that is nominated and has not said so yet;
    /// null if none is.
    [[nodiscard]] CandidatePair* next_due(const CheckTiming& timing, Instant now);
    /// When the next check is due.
    [[nodiscard]] std::optional<Instant> next_check(const CheckTiming& timing, Instant now);

private:
    [[nodiscard]] std::uint64_t priority_of(const Candidate& local, const Candidate& remote) const;

    AgentRole role_;
    std::vector<CandidatePair> pairs_;
};

}  // namespace culvert::ice
