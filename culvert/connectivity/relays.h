#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/base/uuid.h"
#include "culvert/connectivity/lost_relays.h"
#include "culvert/ice/candidate.h"
#include "culvert/turn/allocation.h"

namespace culvert::connectivity {

/// The relays we know and our allocation on each, in the order of their ids.
class Relays {
public:
    using Table = std::map<RelayId, turn::Allocation>;

    Relays() = default;
    Relays(const Relays&) = delete;
    Relays& operator=(const Relays&) = delete;

    [[nodiscard]] bool empty() const { return table_.empty(); }
    [[nodiscard]] Table& all() { return table_; }
    [[nodiscard]] const Table& all() const { return table_; }

    turn::Allocation& insert(const RelayId& id, turn::Allocation allocation);
    void erase(const RelayId& id);
    void clear();

    [[nodiscard]] turn::Allocation* find(const RelayId& id);
    [[nodiscard]] turn::Allocation* find(const std::optional<RelayId>& id) { return id ? find(*id) : nullptr; }
    /// The relay that sends from this address. Hot path.
    [[nodiscard]] turn::Allocation* find_by_server(const net::SocketAddress& server);
    /// The relay on which `address` was allocated for us.
    [[nodiscard]] turn::Allocation* find_by_relay_address(const net::SocketAddress& address);

    /// Which relay a connection is to use: any of the nearest with an allocation; if there is none, any that may still
    /// get one at once, then any. None of `lost`; nullopt if nothing is left.
    [[nodiscard]] std::optional<RelayId> select(const LostRelays& lost, Rng& rng) const;

    /// What a new connection starts with: host and server-reflexive candidates of all relays, relayed ones of
    /// `selected`; by descending priority, without duplicates.
    [[nodiscard]] std::vector<ice::Candidate> seed_candidates(const std::optional<RelayId>& selected) const;
    /// Whether some relay sees us at this address of the host, or of its NAT.
    [[nodiscard]] bool know(const turn::GatheredCandidate& candidate) const;
    /// Only the relayed ones.
    [[nodiscard]] std::vector<ice::Candidate> relay_candidates(const RelayId& selected) const;

private:
    Table table_;
    Table::iterator last_hit_ = table_.end();
};

/// By descending priority (spec/connectivity.md section 3.4), equal ones by address.
void sort_for_signalling(std::vector<ice::Candidate>& candidates);

/// nullopt if the address cannot be a candidate.
[[nodiscard]] std::optional<ice::Candidate> to_ice(const turn::GatheredCandidate& candidate);

}  // namespace culvert::connectivity
