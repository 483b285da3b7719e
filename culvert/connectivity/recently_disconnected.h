#pragma once

#include <cstdint>
#include <deque>

#include "culvert/base/time.h"
#include "culvert/connectivity/events.h"
#include "culvert/crypto/keys.h"

namespace culvert {
class Snapshot;
}

namespace culvert::connectivity {

/// Remembers for a few seconds who was disconnected. Stray packets of such peers are no news and only deserve a quiet
/// log line (spec/connectivity.md sections 2.2 and 11).
class RecentlyDisconnected {
public:
    void add(const ConnectionId& id, const crypto::PublicKey& peer, std::uint32_t index, Instant now);

    [[nodiscard]] bool contains(const ConnectionId& id, Instant now) const;
    [[nodiscard]] bool contains(const crypto::PublicKey& peer, Instant now) const;
    [[nodiscard]] bool contains(std::uint32_t index, Instant now) const;

    /// Forgets what is too old.
    void handle_timeout(Instant now);

    /// For snapshots.
    void describe(Snapshot& out, Instant now) const;

private:
    struct Entry {
        ConnectionId id;
        crypto::PublicKey peer;
        std::uint32_t index;
        Instant at;
    };

    template <typename Predicate>
    [[nodiscard]] bool any(Instant now, Predicate predicate) const;

    std::deque<Entry> entries_;  // oldest first
};

}  // namespace culvert::connectivity
