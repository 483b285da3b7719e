#pragma once

#include <cstdint>
#include <variant>

#include "culvert/net/socket_address.h"

namespace culvert::turn {

enum class CandidateKind : std::uint8_t { kHost, kServerReflexive, kRelayed };

/// A way to reach us that an allocation found out about (spec/connectivity.md section 3.1).
struct Candidate {
    CandidateKind kind = CandidateKind::kHost;
    net::SocketAddress address;
    /// The local address behind it; for host and relayed candidates the address itself.
    net::SocketAddress base;
    /// Relayed only: the family of the address differs from the one in which we talk to the relay.
    bool is_cross_family = false;

    friend bool operator==(const Candidate&, const Candidate&) = default;
};

struct NewCandidate {
    Candidate candidate;
    friend bool operator==(const NewCandidate&, const NewCandidate&) = default;
};
struct InvalidCandidate {
    Candidate candidate;
    friend bool operator==(const InvalidCandidate&, const InvalidCandidate&) = default;
};
using AllocationEvent = std::variant<NewCandidate, InvalidCandidate>;

}  // namespace culvert::turn
