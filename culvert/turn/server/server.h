#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/constants.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/allocation_table.h"
#include "culvert/turn/server/command.h"
#include "culvert/turn/server/constants.h"
#include "culvert/turn/server/nonce_mint.h"
#include "culvert/turn/server/peer_rules.h"
#include "culvert/turn/server/replay_guard.h"
#include "culvert/turn/server/response_limiter.h"
#include "culvert/turn/server/user_rules.h"

namespace culvert::turn {

struct ServerConfig {
    /// Advertised addresses; at least one.
    std::optional<net::IpAddress> public_v4;
    std::optional<net::IpAddress> public_v6;
    /// Ports of allocations, inclusive.
    std::uint16_t lowest_port = kDefaultLowestPort;
    std::uint16_t highest_port = kDefaultHighestPort;
    /// Where users may send, see PeerRules.
    std::uint16_t listen_port = kRelayPort;
    std::vector<net::IpAddress> local_addresses;
    std::vector<net::IpNetwork> allowed_peers;
    std::vector<net::IpNetwork> denied_peers;
    /// What one user may have, whatever addresses it comes from.
    std::size_t max_allocations_per_user = kMaxAllocationsPerUser;
    std::size_t max_channels_per_user = kMaxChannelsPerUser;
    /// What all users together may have.
    std::size_t max_channels = kMaxChannels;
    std::string software{kRelaySoftware};
};

/// What the server did so far; all numbers only grow.
struct ServerStatistics {
    /// By method and ERROR-CODE; 0 is success. Only methods that are served.
    std::map<std::pair<stun::Method, std::uint16_t>, std::uint64_t> responses;
    std::uint64_t packets_to_peers = 0;
    std::uint64_t packets_to_clients = 0;
    /// Payload bytes that were handed on, both directions, without ChannelData headers.
    std::uint64_t bytes_relayed = 0;
    /// Packets that were neither answered nor handed on.
    std::uint64_t dropped_malformed = 0;
    std::uint64_t dropped_without_channel = 0;
    /// Requests that got no answer because their network had too many without proving anything.
    std::uint64_t rate_limited = 0;
    /// Authentic requests that came again and were answered without doing anything.
    std::uint64_t repeated_requests = 0;
};

/// The relay's STUN and TURN server: answers requests and says where relayed data goes.
///
/// Sans-IO. Feed it every datagram that arrives on the listen port and on the allocations' ports; after each call drain
/// poll_command(), in order. Relayed payloads do not go through the queue, so that nobody copies them: the two
/// handle_..._input() functions return the way and the caller sends. Clients are told apart by source address and port
/// alone. Source: RFC 8489 and RFC 8656 as cut down by spec/relay.md sections 2 to 6.
class Server {
public:
    /// `stamp_secret` comes from make_stamp_secret(); the portal gets the same text.
    Server(ServerConfig config, std::string stamp_secret, Rng rng);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    struct ToPeer {
        std::uint16_t port;              ///< send from this allocation's socket of the peer's family
        const net::SocketAddress& peer;  ///< valid until the next call of anything that is not const
        ByteSpan payload;                ///< part of the datagram; may be empty
    };
    /// A datagram from the listen port: answers it, drops it or says which part of it goes where.
    std::optional<ToPeer> handle_client_input(ByteSpan datagram, const net::SocketAddress& client, Instant now,
                                              WallTime wall_now);

    struct ToClient {
        const net::SocketAddress& client;  ///< send from the listen port; valid as above
        std::uint16_t channel;
    };
    /// A datagram of `length` bytes from an allocation's port: who gets it, behind a ChannelData header.
    std::optional<ToClient> handle_peer_input(const net::SocketAddress& peer, std::uint16_t port, std::size_t length);

    /// Whether a peer is an allocation of this relay, as its users know them: what goes there need not go over the
    /// wire, and behind 1:1 NAT without hairpinning could not.
    [[nodiscard]] bool is_inside(const net::SocketAddress& peer) const;
    /// A datagram from one allocation to another of this relay, to the same end as if handle_peer_input() had got it.
    /// Requires is_inside(way.peer).
    std::optional<ToClient> handle_inside(const ToPeer& way);

    /// The socket of a CreateAllocation could not be opened: tries another port, or tells the client that there is
    /// none.
    void handle_allocation_failed(std::uint16_t port, Instant now);

    /// From now on user names with this salt whose own expiry has passed count until then. The newest rule about a user
    /// counts: this lifts a revocation.
    void extend_user(std::string_view salt, WallTime until) { user_rules_.extend(salt, until); }
    /// Ends this user's allocations at once and answers all user names with this salt with 401 until then.
    void revoke_user(std::string_view salt, WallTime until);

    void handle_timeout(Instant now) { table_.handle_timeout(now); }
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return table_.poll_timeout(); }
    [[nodiscard]] std::optional<Command> poll_command();

    /// A nonce for this client, as it gets with 401 and 438.
    [[nodiscard]] Uuid make_nonce(const net::SocketAddress& client, Instant now) const {
        return nonces_.issue(client, now);
    }

    [[nodiscard]] const ServerStatistics& statistics() const { return statistics_; }
    [[nodiscard]] std::size_t allocations() const { return table_.allocations(); }
    [[nodiscard]] std::size_t bound_channels() const { return table_.bound_channels(); }

    /// What it keeps for its users.
    [[nodiscard]] const ServerAllocations& state() const { return table_.state(); }
    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    using MaybeKey = std::optional<stun::LongTermKey>;

    /// A request on its way through the checks.
    struct Request {
        const stun::Message& message;
        const net::SocketAddress& client;
        MaybeKey claimed_key;           ///< of the user the request claims to come from; responses are signed with it
        std::string_view claimed_user;  ///< its salt; whose the request is once it is authentic
        Instant now;
        WallTime wall_now;
    };

    struct Families {
        bool v4;
        bool v6;
    };

    /// An Allocate that passed all checks, kept in case its port turns out to be unusable.
    struct PendingAllocate {
        stun::Header header;
        net::SocketAddress client;
        std::string user;
        stun::LongTermKey key;
        Families families;
        std::chrono::seconds lifetime;
        std::uint16_t port = 0;
        unsigned attempts = 0;
    };

    struct Failure {
        std::uint16_t code;
        std::string_view detail;
        bool concerns_operator = false;  ///< the relay is too small or configured wrongly
    };
    template <typename T>
    using Checked = std::expected<T, Failure>;

    std::optional<ToPeer> handle_channel_data(ByteSpan datagram, const net::SocketAddress& client);
    void handle_stun(ByteSpan datagram, const net::SocketAddress& client, Instant now, WallTime wall_now);
    void handle_malformed(ByteSpan datagram, const net::SocketAddress& client, stun::ParseError error, Instant now);

    void handle_binding(const stun::Message& message, const net::SocketAddress& client, Instant now);
    Checked<void> handle_request(const Request& request);
    Checked<void> act(const Request& request);
    /// Answers a request that has been handled before, as it was answered then.
    void repeat_answer(const Request& request, std::uint16_t code);
    Checked<void> handle_allocate(const Request& request);
    [[nodiscard]] static Failure failure_of(AllocationTable::Refusal refusal);
    Checked<void> handle_refresh(const Request& request);
    Checked<void> handle_channel_bind(const Request& request);
    Checked<void> handle_create_permission(const Request& request);
    [[nodiscard]] Checked<void> check_peer(const net::SocketAddress& peer) const;

    /// The allocation at the client's address, if it is this user's.
    [[nodiscard]] Checked<ServerAllocation*> find_own(const Request& request);
    [[nodiscard]] static bool is_owner(const ServerAllocation& allocation, const Request& request);

    /// The checks of spec/relay.md section 3.5.
    Checked<void> authenticate(const Request& request);
    [[nodiscard]] Checked<Families> select_families(const stun::Message& message) const;
    void complete_allocate(PendingAllocate pending, Instant now);

    void succeed(const Request& request);
    void succeed_refresh(const Request& request, std::chrono::seconds lifetime);
    void fail(const Request& request, const Failure& failure);
    /// Whether a client that has proven nothing gets an answer.
    [[nodiscard]] bool may_answer(const net::SocketAddress& client, Instant now);
    void send_error(const stun::Header& header, const net::SocketAddress& client, std::uint16_t code,
                    const MaybeKey& key, Instant now);
    void summarize_refusals(const Failure& latest, Instant now);
    void count_response(stun::Method method, std::uint16_t code);
    void drop(std::string_view reason, const net::SocketAddress& from);

    ServerConfig config_;
    std::string stamp_secret_;
    PeerRules peer_rules_;
    Rng rng_;
    NonceMint nonces_;
    ReplayGuard replays_;
    ResponseLimiter limiter_;
    UserRules user_rules_;
    std::deque<Command> commands_;
    AllocationTable table_;
    std::optional<PendingAllocate> pending_allocate_;
    ServerStatistics statistics_;

    /// Refusals of authentic requests that the log has not told of, by code.
    std::map<std::uint16_t, std::uint64_t> untold_refusals_;
    bool untold_concern_operator_ = false;
    std::optional<Instant> refusals_told_at_;
};

static_assert(SansIo<Server>);

}  // namespace culvert::turn
