#include "culvert/ice/candidate.h"

#include <array>
#include <cstdio>

#include "culvert/ice/constants.h"

namespace culvert::ice {
namespace {

std::uint32_t type_preference(CandidateKind kind) {
    switch (kind) {
        case CandidateKind::kHost:
            return 126;
        case CandidateKind::kPeerReflexive:
            return 110;
        case CandidateKind::kServerReflexive:
            return 100;
        case CandidateKind::kRelay:
            return 2;
    }
    return 0;
}

std::uint32_t first_local_preference(CandidateKind kind) {
    switch (kind) {
        case CandidateKind::kHost:
            return 65535;
        case CandidateKind::kPeerReflexive:
            return 49151;
        case CandidateKind::kServerReflexive:
            return 32767;
        case CandidateKind::kRelay:
            return 16383;
    }
    return 0;
}

net::SocketAddress unspecified(net::Family family) {
    return {net::IpAddress::unspecified(family), 0};
}

std::uint64_t fnv1a(std::uint64_t hash, ByteSpan bytes) {
    for (const auto byte : bytes) {
        hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3ULL;
    }
    return hash;
}

/// Opaque to peers. The base of a srflx candidate stays out of it: even hashed it would give a private address away.
std::string foundation(const Candidate& candidate) {
    auto hash = fnv1a(0xcbf29ce484222325ULL, as_bytes(to_text(candidate.kind)));
    hash = fnv1a(hash, candidate.address.ip.bytes());
    const auto p = candidate.priority;
    std::array<char, 25> text{};
    std::snprintf(text.data(), text.size(), "%02x%02x%02x%02x%016llx", p & 0xff, p >> 8 & 0xff, p >> 16 & 0xff, p >> 24,
                  static_cast<unsigned long long>(hash));
    return text.data();
}

}  // namespace

std::string_view to_text(CandidateKind kind) {
    switch (kind) {
        case CandidateKind::kHost:
            return "host";
        case CandidateKind::kServerReflexive:
            return "srflx";
        case CandidateKind::kPeerReflexive:
            return "prflx";
        case CandidateKind::kRelay:
            return "relay";
    }
    return "";
}

bool is_usable_as_candidate(const net::SocketAddress& address) {
    const auto& ip = address.ip;
    return !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !(ip.is_v4() && ip.is_link_local());
}

std::optional<Candidate> host_candidate(const net::SocketAddress& address) {
    if (!is_usable_as_candidate(address)) {
        return std::nullopt;
    }
    Candidate candidate{.kind = CandidateKind::kHost, .address = address, .base = address};
    candidate.priority =
        candidate_priority(candidate.kind, local_preference(candidate.kind, address.family(), 0, false));
    return candidate;
}

std::optional<Candidate> server_reflexive_candidate(const net::SocketAddress& mapped, const net::SocketAddress& base) {
    if (!is_usable_as_candidate(mapped) || mapped.family() != base.family()) {
        return std::nullopt;
    }
    Candidate candidate{.kind = CandidateKind::kServerReflexive,
                        .address = mapped,
                        .base = base,
                        .related = unspecified(mapped.family())};
    // Never offered to the agent, hence never numbered; its preference is the undiminished one (section 3.2).
    candidate.priority = candidate_priority(candidate.kind, mapped.is_v4() ? 65534 : 65535);
    return candidate;
}

std::optional<Candidate> relay_candidate(const net::SocketAddress& relayed, net::Family relay_family) {
    if (!is_usable_as_candidate(relayed)) {
        return std::nullopt;
    }
    Candidate candidate{.kind = CandidateKind::kRelay,
                        .address = relayed,
                        .base = relayed,
                        .related = unspecified(relayed.family()),
                        .is_cross_family = relayed.family() != relay_family};
    candidate.priority = candidate_priority(
        candidate.kind, local_preference(candidate.kind, relayed.family(), 0, candidate.is_cross_family));
    return candidate;
}

std::uint32_t local_preference(CandidateKind kind, net::Family family, unsigned n, bool is_cross_family) {
    const auto penalty =
        (family == net::Family::kIpv4 ? 1U : 0U) + 2 * n + (is_cross_family ? kCrossFamilyPenalty : 0U);
    const auto first = first_local_preference(kind);
    return first > penalty ? first - penalty : 0;
}

std::uint32_t candidate_priority(CandidateKind kind, std::uint32_t preference) {
    return type_preference(kind) << 24 | preference << 8 | 255;
}

std::uint32_t check_priority(const Candidate& local) {
    return candidate_priority(CandidateKind::kPeerReflexive,
                              local_preference(local.kind, local.address.family(), 0, local.is_cross_family));
}

std::string to_string(const Candidate& candidate) {
    std::string text = "candidate:" + foundation(candidate) + " 1 udp " + std::to_string(candidate.priority) + ' ' +
                       candidate.address.ip.to_string() + ' ' + std::to_string(candidate.address.port) + " typ ";
    text += to_text(candidate.kind);
    if (candidate.related) {
        text += " raddr " + candidate.related->ip.to_string() + " rport " + std::to_string(candidate.related->port);
    }
    if (!candidate.ufrag.empty()) {
        text += " ufrag " + candidate.ufrag;
    }
    return text;
}

}  // namespace culvert::ice
