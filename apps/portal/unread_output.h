#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/portal/session.h"

namespace culvert::portal_server {

/// How much output waits for devices to read it, of each owner (an actor, a site, a relay's token) and in all. Long
/// input that waits for the rest of it is no different, and counted as well.
///
/// One connection alone is bounded by itself (DeviceConnection). But an owner may have thousands, and none of them has
/// to read anything: what they pin together is bounded here, and taken from whoever has read nothing for the longest
/// time.
class UnreadOutput {
public:
    /// So many bytes wait for `session` now.
    void set(portal::SessionId session, const Uuid& owner, std::size_t bytes, Instant now);
    /// Its connection is gone, and what waited with it.
    void remove(portal::SessionId session);

    [[nodiscard]] bool is_crowded(const Uuid& owner) const;
    /// Whether anything waits for it.
    [[nodiscard]] bool is_waiting(portal::SessionId session) const { return waiting_.contains(session); }
    struct Surplus {
        portal::SessionId session;
        Uuid owner;
    };
    /// Whose connection has to go, so that the bounds hold after something was sent to `owner`: of that one, if he
    /// exceeds his, or else of the one that takes up most of all, the one that has waited longest without reading. Call
    /// it until there is none.
    [[nodiscard]] std::optional<Surplus> surplus(const Uuid& owner) const;

    [[nodiscard]] std::size_t total() const { return total_; }

private:
    struct Waiting {
        Uuid owner;
        std::size_t bytes = 0;
        /// When it last took something, or found nothing to take.
        Instant since;
    };
    struct Owner {
        std::size_t bytes = 0;
        std::set<std::pair<Instant, portal::SessionId>> by_wait;
    };

    std::map<portal::SessionId, Waiting> waiting_;
    std::map<Uuid, Owner> owners_;
    std::size_t total_ = 0;
};

}  // namespace culvert::portal_server
