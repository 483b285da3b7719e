#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"
#include "culvert/turn/server/allocation_ranking.h"
#include "culvert/turn/server/command.h"
#include "culvert/turn/server/flow_map.h"
#include "culvert/turn/server/source_shares.h"

namespace culvert {
class Snapshot;
}

namespace culvert::turn {

struct ServerChannel {
    net::SocketAddress peer;
    Instant expires_at;
    /// False in cool-down: no data flows, but number and peer stay reserved for each other.
    bool is_bound = true;

    friend bool operator==(const ServerChannel&, const ServerChannel&) = default;
};

struct ServerAllocation {
    std::string user;  ///< whose it is: the salt of the user name
    std::uint16_t port = 0;
    bool has_v4 = false;
    bool has_v6 = false;
    Instant expires_at;
    Instant heard_at;                ///< when it was made or refreshed last
    unsigned wrong_credentials = 0;  ///< requests of other users
    std::map<std::uint16_t, ServerChannel> channels;
    std::map<net::SocketAddress, std::uint16_t> numbers;  ///< by peer, likewise in cool-down

    [[nodiscard]] bool has(net::Family family) const { return family == net::Family::kIpv4 ? has_v4 : has_v6; }

    friend bool operator==(const ServerAllocation&, const ServerAllocation&) = default;
};

/// By client.
using ServerAllocations = std::map<net::SocketAddress, ServerAllocation>;

/// All state of the relay's clients, with its limits and timers; knows nothing of messages (spec/relay.md section 5).
///
/// What the outside must do is appended to the command queue given at construction.
class AllocationTable {
public:
    struct PortRange {
        std::uint16_t lowest;
        std::uint16_t highest;  ///< inclusive; not below `lowest`

        [[nodiscard]] std::size_t count() const { return std::size_t{highest} - lowest + 1; }
    };

    struct Quotas {
        std::size_t allocations_per_user;
        std::size_t channels_per_user;
        std::size_t channels;  ///< of all users
    };

    AllocationTable(PortRange ports, Quotas quotas, std::uint64_t hash_key, std::deque<Command>& commands);

    /// Null if this client has none.
    [[nodiscard]] ServerAllocation* find(const net::SocketAddress& client);
    /// Whether every port of the range is taken or known to be unusable.
    [[nodiscard]] bool is_full(Instant now);

    enum class Refusal : std::uint8_t {
        kUserHasAll,      ///< as many as one may have, whatever addresses it comes from, and none is abandoned
        kSourceHasShare,  ///< ports are scarce, and its source has its share of them
        kNoPort,          ///< everybody else has no more than a share
    };
    /// Whether this user gets another allocation, at an address that has none or another user's. Which allocations have
    /// to go for it.
    [[nodiscard]] std::expected<std::vector<net::SocketAddress>, Refusal> admit(const net::SocketAddress& client,
                                                                                std::string_view user, Instant now);

    /// Requires !is_full(now), no allocation of this client and at least one family.
    const ServerAllocation& create(const net::SocketAddress& client, std::string_view user, bool v4, bool v6,
                                   Duration lifetime, Rng& rng, Instant now);
    /// Requires an allocation of this client.
    void extend(const net::SocketAddress& client, Duration lifetime, Instant now);
    /// Requires an allocation of this client.
    void remove(const net::SocketAddress& client);
    /// Ends all allocations of this user. How many there were.
    std::size_t remove_all_of(std::string_view user);

    /// Gives up the allocation on this port, if any, and leaves the port alone for a while. The client it belonged to.
    std::optional<net::SocketAddress> block_port(std::uint16_t port, Instant now);

    enum class BindResult : std::uint8_t { kBound, kPeerInOtherChannel, kChannelHasOtherPeer, kTooManyChannels };
    /// Requires an allocation of this client with an address of the peer's family. As long as a channel is free,
    /// whoever asks gets it. When none is, a source takes one of the source with most, if that has at least two more.
    BindResult bind(const net::SocketAddress& client, std::uint16_t channel, const net::SocketAddress& peer,
                    Instant now);

    /// Where data goes: (client, channel) -> (peer, port) and back. Null unless bound.
    [[nodiscard]] const FlowEnd* to_peer(const FlowEnd& from) const { return lookup(to_peer_, from); }
    [[nodiscard]] const FlowEnd* to_client(const FlowEnd& from) const { return lookup(to_client_, from); }

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    [[nodiscard]] std::size_t allocations() const { return allocations_.size(); }
    [[nodiscard]] std::size_t bound_channels() const { return to_peer_.size(); }

    [[nodiscard]] const ServerAllocations& state() const { return allocations_; }
    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    using AllocationEntry = std::pair<const net::SocketAddress, ServerAllocation>;
    using ChannelDeadline = std::tuple<Instant, net::SocketAddress, std::uint16_t>;

    static const FlowEnd* lookup(const FlowMap& map, const FlowEnd& from) {
        const auto found = map.find(from);
        return found == map.end() ? nullptr : &found->second;
    }
    /// Requires that there is one.
    [[nodiscard]] std::uint16_t take_free_port(Rng& rng);
    void connect(const net::SocketAddress& client, std::uint16_t channel, const ServerChannel& state,
                 std::uint16_t port);
    void disconnect(const net::SocketAddress& client, std::uint16_t channel, const ServerChannel& state,
                    std::uint16_t port);
    void expire_channel(const ChannelDeadline& due);

    /// What one user has. Channels in cool-down count: they take memory as well.
    struct Usage {
        std::set<net::SocketAddress> clients;
        std::size_t channels = 0;
    };

    /// An allocation of the user whose device is not there any more.
    [[nodiscard]] std::optional<net::SocketAddress> find_abandoned(const Usage& usage, Instant now) const;
    /// Whether this client may have one more; takes it from somebody else if need be.
    bool make_room_for_channel(const net::SocketAddress& client, const ServerAllocation& allocation);
    /// From the allocation with most channels that the user has there.
    void take_channel(const SourceShares::Largest& from);
    void erase_channel(const net::SocketAddress& client, ServerAllocation& allocation,
                       std::map<std::uint16_t, ServerChannel>::iterator channel);
    void forget_channels(const net::SocketAddress& client, const ServerAllocation& allocation, std::size_t count);

    PortRange ports_;
    Quotas quotas_;
    std::deque<Command>& commands_;
    ServerAllocations allocations_;
    std::map<std::uint16_t, net::SocketAddress> clients_by_port_;
    std::map<std::string, Usage, std::less<>> usage_;  ///< by user; nobody without allocations
    std::size_t channels_ = 0;
    SourceShares allocation_shares_;
    SourceShares channel_shares_;
    AllocationRanking ranking_;
    std::vector<std::uint16_t> free_ports_;  ///< in no order; without those that are blocked
    std::map<std::uint16_t, Instant> blocked_ports_;
    std::deque<std::pair<Instant, std::uint16_t>>
        block_ends_;  ///< in order; a port that was blocked again counts later
    FlowMap to_peer_;
    FlowMap to_client_;
    std::set<std::pair<Instant, net::SocketAddress>> allocation_deadlines_;
    std::set<ChannelDeadline> channel_deadlines_;
};

}  // namespace culvert::turn
