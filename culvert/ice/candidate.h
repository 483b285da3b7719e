#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/net/socket_address.h"

namespace culvert::ice {

enum class CandidateKind : std::uint8_t { kHost, kServerReflexive, kPeerReflexive, kRelay };

/// `host`, `srflx`, `prflx`, `relay`.
[[nodiscard]] std::string_view to_text(CandidateKind kind);

/// An address at which one side may be reachable, component 1, UDP. Source: spec/connectivity.md section 3.
struct Candidate {
    CandidateKind kind = CandidateKind::kHost;
    net::SocketAddress address;
    /// Where packets of this candidate leave from: the address itself, except for srflx.
    net::SocketAddress base;
    /// `raddr`/`rport` as signalled: absent for host, otherwise the unspecified address (the real base is nobody's
    /// business).
    std::optional<net::SocketAddress> related;
    std::uint32_t priority = 0;
    /// The owner's user name fragment; empty if the candidate does not carry one.
    std::string ufrag;
    /// A relay candidate of another IP family than the one used to talk to the relay.
    bool is_cross_family = false;

    /// What identifies a candidate: foundation, priority and ufrag do not (section 3.6).
    [[nodiscard]] bool is_same(const Candidate& other) const {
        return kind == other.kind && address == other.address && base == other.base && related == other.related;
    }

    friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// Why an address was refused as a candidate (section 3.1).
[[nodiscard]] bool is_usable_as_candidate(const net::SocketAddress& address);

/// Our candidates, with the priority that the first of its kind and family has. nullopt for an address that cannot be
/// one.
[[nodiscard]] std::optional<Candidate> host_candidate(const net::SocketAddress& address);
/// nullopt also if `mapped` and `base` differ in family. Carries no ufrag (section 3.3).
[[nodiscard]] std::optional<Candidate> server_reflexive_candidate(const net::SocketAddress& mapped,
                                                                  const net::SocketAddress& base);
/// `relay_family` is the family of the socket through which we talk to the relay.
[[nodiscard]] std::optional<Candidate> relay_candidate(const net::SocketAddress& relayed, net::Family relay_family);

/// Local preference of the n-th candidate (from 0) of this kind and family (section 3.2).
[[nodiscard]] std::uint32_t local_preference(CandidateKind kind, net::Family family, unsigned n, bool is_cross_family);

/// type_pref * 2^24 + local_pref * 2^8 + 255 (section 3.2).
[[nodiscard]] std::uint32_t candidate_priority(CandidateKind kind, std::uint32_t local_preference);

/// The value of the PRIORITY attribute in checks sent from `local` (section 3.2).
[[nodiscard]] std::uint32_t check_priority(const Candidate& local);

/// The textual form, without `a=`, as it travels through the portal (section 3.3).
[[nodiscard]] std::string to_string(const Candidate& candidate);

/// Strict parser of the textual form; nullopt for anything malformed, for a component other than 1 and for a protocol
/// other than UDP. The address is not judged: see is_usable_as_candidate().
[[nodiscard]] std::optional<Candidate> parse_candidate(std::string_view text);

}  // namespace culvert::ice
