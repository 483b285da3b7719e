#pragma once

#include <cstdint>
#include <vector>

#include "culvert/ice/candidate.h"

namespace culvert::ice {

class Checklist;

/// The candidates of one side, in the order in which they came. Those that were discarded stay, so that they are known
/// when they are named again. Source: spec/connectivity.md sections 3.5, 3.6 and 4.1.
class CandidateSet {
public:
    struct Entry {
        std::uint32_t id;  ///< of no other candidate of either side
        Candidate candidate;
        bool is_discarded = false;
    };

    /// Whether there never was one.
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    /// All of them, discarded ones included.
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] std::vector<Candidate> in_use() const;
    /// How many of this kind and family there are or were.
    [[nodiscard]] unsigned count(CandidateKind kind, net::Family family) const;

    // Null if there is none. Pointers are valid until the next add().

    [[nodiscard]] Entry* find(const Candidate& candidate);
    [[nodiscard]] const Entry* find(const Candidate& candidate) const;
    [[nodiscard]] Entry* find_in_use(const Candidate& candidate);
    [[nodiscard]] Entry* find_by_base(const net::SocketAddress& address, const net::SocketAddress& base);
    [[nodiscard]] const Entry* find_by_id(std::uint32_t id) const;
    [[nodiscard]] Entry* find_peer_reflexive(const net::SocketAddress& address);
    /// One that is in use rather than a discarded one.
    [[nodiscard]] const Entry* find_by_address(const net::SocketAddress& address) const;

    /// The candidate that a request from `from` belongs to. `is_withdrawn`: there is none but one that must not be used
    /// any more.
    struct Sender {
        const Entry* entry = nullptr;
        bool is_withdrawn = false;
    };
    [[nodiscard]] Sender find_sender(const net::SocketAddress& from) const;

    /// Forgets the oldest without pairs, discarded ones first, once there are too many; its pairs go with it.
    Entry& add(std::uint32_t id, Candidate candidate, Checklist& checklist);

private:
    std::vector<Entry> entries_;
};

}  // namespace culvert::ice
