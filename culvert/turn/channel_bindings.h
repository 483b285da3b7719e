#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"
#include "culvert/turn/constants.h"

namespace culvert {
class Snapshot;
}

namespace culvert::turn {

/// Which channel number stands for which peer, and for how long (spec/connectivity.md section 5.6).
///
/// Knows nothing of requests: the caller reports what was asked for and what was confirmed.
class ChannelBindings {
public:
    struct Binding {
        net::SocketAddress peer;
        /// When it was created or last confirmed.
        Instant since;
        bool is_bound = false;
        /// Whether anything arrived since the last confirmation.
        bool has_received = false;
    };

    /// Takes a number for `peer`: the one it has if that may be bound again, else the next one that is free, counting
    /// round. nullopt if all are in use.
    std::optional<std::uint16_t> create(const net::SocketAddress& peer, Instant now);

    /// The relay accepted a bind.
    void confirm(std::uint16_t channel, Instant now);
    /// The relay refused a bind.
    void forget(std::uint16_t channel);
    void clear();

    /// The channel to send to `peer`, confirmed or not. Hot path.
    [[nodiscard]] std::optional<std::uint16_t> to(const net::SocketAddress& peer, Instant now) const;
    /// Whether there is a confirmed channel that has not expired.
    [[nodiscard]] bool is_bound(const net::SocketAddress& peer, Instant now) const;

    /// The peer behind a confirmed channel on which something arrived. Hot path.
    std::optional<net::SocketAddress> receive(std::uint16_t channel);

    [[nodiscard]] const Binding* find(std::uint16_t channel) const;

    /// Earliest instant at which channels_to_refresh() may have something.
    [[nodiscard]] std::optional<Instant> next_refresh() const { return next_refresh_; }
    /// Channels that are in use and whose binding is five minutes old, in number order. A channel is reported once per
    /// confirmation.
    [[nodiscard]] std::vector<std::uint16_t> channels_to_refresh(Instant now);

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Entry {
        bool exists = false;
        bool refresh_reported = false;
        Binding binding;
    };

    [[nodiscard]] static bool can_reuse(const Binding& binding, Instant now);
    [[nodiscard]] Entry* entry(std::uint16_t channel);
    [[nodiscard]] const Entry* entry(std::uint16_t channel) const;
    void put(std::uint16_t channel, const net::SocketAddress& peer, Instant now);
    void remove(std::uint16_t channel);

    std::vector<Entry> entries_;                                     // by number, up to the highest ever used
    std::unordered_map<net::SocketAddress, std::uint16_t> by_peer_;  // lookups only, never iterated
    std::uint16_t next_ = kFirstChannel;
    std::optional<Instant> next_refresh_;
};

}  // namespace culvert::turn
