#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/connectivity/relay_server.h"

namespace culvert::connectivity {

/// Relays of the portal's list that have stopped answering, and when to try each again: kFirstRelayRetry after it was
/// lost, then after twice as long each time, up to kLongestRelayRetry. Ours to choose: the reference waits for the
/// portal to list them anew (spec/connectivity.md section 5.9).
class LostRelays {
public:
    /// Lost, or lost again after it was tried.
    void add(const RelayServer& server, Instant now);
    /// It answers, or the portal said something new about it.
    void erase(const RelayId& id) { lost_.erase(id); }
    /// Forgets those that the portal does not list any more.
    void keep_only(std::span<const RelayServer> listed);
    void clear() { lost_.clear(); }

    [[nodiscard]] bool empty() const { return lost_.empty(); }
    /// Also while it is being tried.
    [[nodiscard]] bool contains(const RelayId& id) const { return lost_.contains(id); }

    /// What was learned about them held for another network: all are due, and their pauses short again.
    void handle_network_change(Instant now);

    /// Those to try now. They stay in the table.
    [[nodiscard]] std::vector<RelayServer> take_due(Instant now);
    [[nodiscard]] std::optional<Instant> next() const;

private:
    struct Entry {
        RelayServer server;
        Duration pause;
        /// Unset while it is being tried.
        std::optional<Instant> try_at;
    };

    std::map<RelayId, Entry> lost_;
};

}  // namespace culvert::connectivity
