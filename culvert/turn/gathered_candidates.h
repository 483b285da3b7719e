#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "culvert/net/socket_address.h"

namespace culvert::turn {

enum class GatheredKind : std::uint8_t { kHost, kServerReflexive, kRelayed };

/// A way to reach us that an allocation found out about (spec/connectivity.md section 3.1).
struct GatheredCandidate {
    GatheredKind kind = GatheredKind::kHost;
    net::SocketAddress address;
    /// The local address behind it; for host and relayed candidates the address itself.
    net::SocketAddress base;
    /// Relayed only: the family of the address differs from the one in which we talk to the relay.
    bool is_cross_family = false;

    friend bool operator==(const GatheredCandidate&, const GatheredCandidate&) = default;
};

struct NewCandidate {
    GatheredCandidate candidate;
    friend bool operator==(const NewCandidate&, const NewCandidate&) = default;
};
struct InvalidCandidate {
    GatheredCandidate candidate;
    friend bool operator==(const InvalidCandidate&, const InvalidCandidate&) = default;
};
using AllocationEvent = std::variant<NewCandidate, InvalidCandidate>;

/// The candidates of one allocation, at most one of each kind and family, and the news about them.
class GatheredCandidates {
public:
    /// The relay sees us at `mapped` when we send from `local`, of the same or another family.
    void add_mapping(const net::SocketAddress& local, const net::SocketAddress& mapped);
    /// What the relay allocated for us, the first of each family; `relay_family` is the one in which we talk to it.
    /// False if none of the addresses can be one.
    bool add_relayed(const std::vector<net::SocketAddress>& addresses, std::optional<net::Family> relay_family);
    void remove_relayed();
    /// This host has these addresses alone, and what stood for others is gone.
    void keep_only(std::span<const net::IpAddress> addresses);

    [[nodiscard]] bool has_host(net::Family family) const { return of(family).host.has_value(); }
    [[nodiscard]] std::optional<net::SocketAddress> server_reflexive(net::Family family) const;
    [[nodiscard]] std::optional<net::SocketAddress> relayed(net::Family family) const;

    /// Everything that was announced as new and not as invalid: host and server-reflexive of IPv4, then IPv6, relayed.
    [[nodiscard]] std::vector<GatheredCandidate> all() const;

    [[nodiscard]] std::optional<AllocationEvent> poll_event();
    [[nodiscard]] std::size_t events() const { return events_.size(); }

private:
    /// What one IP family contributes.
    struct OfFamily {
        std::optional<GatheredCandidate> host;
        std::optional<GatheredCandidate> server_reflexive;
        std::optional<GatheredCandidate> relayed;
    };

    void replace(std::optional<GatheredCandidate>& slot, const GatheredCandidate& candidate);
    [[nodiscard]] OfFamily& of(net::Family family) { return families_[static_cast<std::size_t>(family)]; }
    [[nodiscard]] const OfFamily& of(net::Family family) const { return families_[static_cast<std::size_t>(family)]; }

    std::array<OfFamily, 2> families_;
    std::deque<AllocationEvent> events_;
};

}  // namespace culvert::turn
