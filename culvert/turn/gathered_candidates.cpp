#include "culvert/turn/gathered_candidates.h"

#include <algorithm>
#include <utility>

namespace culvert::turn {
namespace {

/// Addresses that are of no use to a peer (spec/connectivity.md section 3.1).
bool can_be_candidate(const net::IpAddress& ip) {
    return !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !(ip.is_v4() && ip.is_link_local());
}

/// What a hostile relay names here is where our peers send to.
bool can_be_relayed(const net::SocketAddress& address) {
    return can_be_candidate(address.ip) && !address.ip.is_loopback() && address.port != 0;
}

std::optional<net::SocketAddress> address_of(const std::optional<GatheredCandidate>& candidate) {
    return candidate ? std::optional{candidate->address} : std::nullopt;
}

}  // namespace

void GatheredCandidates::add_mapping(const net::SocketAddress& local, const net::SocketAddress& mapped) {
    auto& family = of(local.family());
    if (can_be_candidate(local.ip)) {
        replace(family.host, {.kind = GatheredKind::kHost, .address = local, .base = local});
    }
    if (mapped.family() == local.family() && can_be_candidate(mapped.ip)) {
        replace(family.server_reflexive, {.kind = GatheredKind::kServerReflexive, .address = mapped, .base = local});
    }
}

bool GatheredCandidates::add_relayed(const std::vector<net::SocketAddress>& addresses,
                                     std::optional<net::Family> relay_family) {
    bool has_any = false;
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto first = std::ranges::find_if(addresses, [&](const net::SocketAddress& address) {
            return address.family() == family && can_be_relayed(address);
        });
        if (first != addresses.end()) {
            has_any = true;
            replace(of(family).relayed, {.kind = GatheredKind::kRelayed,
                                         .address = *first,
                                         .base = *first,
                                         .is_cross_family = relay_family && *relay_family != family});
        }
    }
    return has_any;
}

void GatheredCandidates::remove_relayed() {
    for (auto& family : families_) {
        if (const auto old = std::exchange(family.relayed, std::nullopt)) {
            events_.emplace_back(InvalidCandidate{*old});
        }
    }
}

void GatheredCandidates::keep_only(std::span<const net::IpAddress> addresses) {
    for (auto& family : families_) {
        for (auto* slot : {&family.host, &family.server_reflexive}) {
            if (*slot && std::ranges::find(addresses, (*slot)->base.ip) == addresses.end()) {
                events_.emplace_back(InvalidCandidate{**slot});
                slot->reset();
            }
        }
    }
}

std::optional<net::SocketAddress> GatheredCandidates::server_reflexive(net::Family family) const {
    return address_of(of(family).server_reflexive);
}

std::optional<net::SocketAddress> GatheredCandidates::relayed(net::Family family) const {
    return address_of(of(family).relayed);
}

std::vector<GatheredCandidate> GatheredCandidates::all() const {
    std::vector<GatheredCandidate> out;
    const auto add = [&](const std::optional<GatheredCandidate>& candidate) {
        if (candidate) {
            out.push_back(*candidate);
        }
    };
    for (const auto& family : families_) {
        add(family.host);
        add(family.server_reflexive);
    }
    for (const auto& family : families_) {
        add(family.relayed);
    }
    return out;
}

std::optional<AllocationEvent> GatheredCandidates::poll_event() {
    if (events_.empty()) {
        return std::nullopt;
    }
    const auto out = events_.front();
    events_.pop_front();
    return out;
}

void GatheredCandidates::replace(std::optional<GatheredCandidate>& slot, const GatheredCandidate& candidate) {
    if (slot == candidate) {
        return;
    }
    events_.emplace_back(NewCandidate{candidate});
    if (const auto old = std::exchange(slot, candidate)) {
        events_.emplace_back(InvalidCandidate{*old});
    }
}

}  // namespace culvert::turn
