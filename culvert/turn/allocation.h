#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"
#include "culvert/net/transmit.h"
#include "culvert/observability/id_logger.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/turn/channel_bindings.h"
#include "culvert/turn/gathered_candidates.h"
#include "culvert/turn/refused_peers.h"
#include "culvert/turn/request_table.h"

namespace culvert {
class Snapshot;
}

namespace culvert::turn {

/// Where a relay listens: over IPv4, IPv6 or both.
struct RelaySocket {
    std::optional<net::SocketAddress> v4;
    std::optional<net::SocketAddress> v6;

    [[nodiscard]] bool contains(const net::SocketAddress& address) const { return v4 == address || v6 == address; }
    friend bool operator==(const RelaySocket&, const RelaySocket&) = default;
};

/// Of the long-term credential mechanism (RFC 8489 section 9.2).
struct LongTermCredentials {
    std::string username;
    std::string password;
    std::string realm;

    friend bool operator==(const LongTermCredentials&, const LongTermCredentials&) = default;
};

/// Why an allocation is of no use any more; the relay is not tried again until the portal lists it.
enum class DeathReason : std::uint8_t { kNoResponse, kAuthenticationError, kProtocolFailure };
[[nodiscard]] std::string_view to_string(DeathReason reason);

/// One TURN allocation on one relay: finds out which of the relay's addresses answers, allocates, keeps the allocation
/// alive and binds channels to peers.
///
/// Sans-IO: feed it messages and time, drain its outputs. Source: RFC 8656; what is sent and when is
/// spec/connectivity.md section 5. Reading and writing of ChannelData headers is left to the caller (channel_data.h),
/// so that packets are never copied.
class Allocation {
public:
    /// Starts probing at once. `software` goes into every request's SOFTWARE attribute, at most 128 bytes. `subject`
    /// tells relays apart in the log.
    Allocation(const RelaySocket& server, LongTermCredentials credentials, std::string software, Rng rng, Instant now,
               const log::IdField& subject = {});

    /// Consumes a message that arrived on the local address `local` from the relay. False if it answers none of our
    /// requests or fails authentication; it is dropped then.
    bool handle_input(const net::SocketAddress& local, const net::SocketAddress& from, const stun::Message& message,
                      Instant now);
    /// Likewise for a datagram that may not be STUN.
    bool handle_input(const net::SocketAddress& local, const net::SocketAddress& from, ByteSpan datagram, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    [[nodiscard]] std::optional<net::Transmit> poll_transmit();
    [[nodiscard]] std::optional<AllocationEvent> poll_event() { return candidates_.poll_event(); }

    /// Makes sure that a channel to `peer` exists or will exist: binds now, or as soon as there is an allocation.
    void bind_channel(const net::SocketAddress& peer, Instant now);

    /// The channel on which to send to `peer` through active_socket(). If there is none, the packet must be dropped; a
    /// channel is being bound for the next one. Hot path.
    [[nodiscard]] std::optional<std::uint16_t> channel_to(const net::SocketAddress& peer, Instant now);

    /// The peer whose data arrived on `channel` from the relay's address `server`; nullopt if the channel is not bound.
    /// An earlier allocation, through the relay's other address, had the same numbers for other peers. Hot path.
    [[nodiscard]] std::optional<net::SocketAddress> receive_on_channel(const net::SocketAddress& server,
                                                                       std::uint16_t channel) {
        return server == active_socket_ ? channels_.receive(channel) : std::nullopt;
    }

    /// The relay list changed: finds out within a second whether the relay is still there, or starts over if an earlier
    /// attempt to allocate failed.
    void refresh(Instant now);

    /// The host's network changed: finds out from where the relay sees us now, by which of its addresses it can be
    /// reached, and whether it still knows the allocation. What is still so stays as it is; what stood for an address
    /// that the host does not have any more goes once the relay has answered anything.
    void handle_network_change(std::span<const net::IpAddress> host, Instant now);

    /// Which of the relay's addresses is used. Unset until the first answer and after the relay stopped answering.
    [[nodiscard]] std::optional<net::SocketAddress> active_socket() const { return active_socket_; }

    [[nodiscard]] bool has_allocation() const { return due_.is_set(Due::kExpiry); }
    /// The address that the relay allocated for us in this family.
    [[nodiscard]] std::optional<net::SocketAddress> relay_address(net::Family family) const {
        return candidates_.relayed(family);
    }
    [[nodiscard]] bool is_relay_address(const net::SocketAddress& address) const;

    /// Everything that was announced as new and not as invalid: host and server-reflexive of IPv4, then IPv6, relayed.
    [[nodiscard]] std::vector<GatheredCandidate> candidates() const { return candidates_.all(); }

    /// Whether `from` is one of the relay's own addresses.
    [[nodiscard]] bool matches(const net::SocketAddress& from) const { return server_.contains(from); }
    [[nodiscard]] const RelaySocket& server() const { return server_; }
    /// Unset once the relay refused them.
    [[nodiscard]] const std::optional<LongTermCredentials>& credentials() const { return credentials_; }

    /// How far away the relay is by the address in use, smoothed (RFC 6298 section 2).
    [[nodiscard]] std::optional<Duration> round_trip() const { return round_trip_; }

    /// Without allocation and not trying to get one, until it is time to ask again; refresh() starts over at once.
    [[nodiscard]] bool is_suspended() const;
    /// Ask after each handle_timeout(). Set: remove this object.
    [[nodiscard]] std::optional<DeathReason> death_reason() const;
    [[nodiscard]] bool is_dead() const { return death_reason().has_value(); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    /// Nothing but the last without an allocation.
    enum class Due : std::uint8_t {
        kExpiry,     ///< the relay forgets the allocation
        kRefresh,    ///< the allocation is to be prolonged; not set while the relay is asked to
        kKeepAlive,  ///< the NAT's mapping towards the relay is to be used
        kRetry,      ///< the relay refused an allocation a while ago
    };

    void probe(Instant now);
    void move_to(net::SocketAddress address, Instant now);
    void send(RequestKind kind, const net::SocketAddress& destination, Instant now,
              Duration give_up_after = kGiveUpAfter, unsigned challenges = 0);
    void send_to_active(RequestKind kind, Instant now, Duration give_up_after = kGiveUpAfter);
    void transmit(Request& request);
    void give_up(const Request& request, Instant now);
    void retry_later(Instant now);
    [[nodiscard]] log::Level level_of_refusal();
    void note_round_trip(const Request& request, Instant now);
    void invalidate(std::string_view reason);
    void bind_now(const net::SocketAddress& peer, Instant now);
    void buffer_bind(const net::SocketAddress& peer);
    /// The relay that is in use, by a request that it has not answered.
    [[nodiscard]] bool is_asking_where_we_are() const;
    [[nodiscard]] bool is_binding(const net::SocketAddress& peer) const;

    // Responses of the relay. The success handlers return false if the response lacks what it must have; the request
    // then stays in flight.
    bool handle_success(const Request& request, const net::SocketAddress& local, const stun::Message& message,
                        Instant now);
    bool handle_binding_success(const Request& request, const net::SocketAddress& local, const stun::Message& message,
                                Instant now);
    bool handle_allocate_success(const stun::Message& message, Instant now);
    bool handle_refresh_success(const stun::Message& message, Instant now);
    bool handle_error(const Request& request, const stun::Message& message, Instant now);
    void handle_unauthorized(const Request& request, const stun::Message& message, stun::ErrorCode error, Instant now);
    void handle_mismatch(const Request& request, Instant now);
    void handle_refusal(const Request& request, Instant now);
    void handle_refused_bind(const ChannelBindRequest& bind, stun::ErrorCode error, Instant now);
    void restart_lifetime(std::uint32_t seconds, Instant now);

    log::IdLogger log_;
    RelaySocket server_;
    std::optional<LongTermCredentials> credentials_;
    stun::LongTermKey key_;
    std::string software_;
    Rng rng_;

    std::optional<net::SocketAddress> active_socket_;
    /// The network changed, and the address of the relay that is in use has not answered since.
    bool is_verifying_ = false;
    /// Another one that has.
    std::optional<net::SocketAddress> spare_socket_;
    /// The host's addresses since then, until the relay has answered.
    std::optional<std::vector<net::IpAddress>> new_addresses_;
    std::optional<std::string> nonce_;
    Deadlines<Due> due_;
    bool has_protocol_failure_ = false;
    bool has_failed_over_ = false;        // to the other family, likewise
    bool has_warned_of_refusal_ = false;  // since the relay last allocated something
    bool has_warned_of_exhaustion_ = false;
    bool has_warned_of_refused_bind_ = false;
    unsigned mismatches_ = 0;  // since relay and client last agreed on an allocation
    Duration retry_pause_ = kFirstAllocateRetry;
    std::optional<Duration> round_trip_;

    GatheredCandidates candidates_;
    ChannelBindings channels_;
    std::deque<net::SocketAddress> buffered_binds_;
    RefusedPeers refused_peers_;

    RequestTable requests_;
    std::deque<net::Transmit> transmits_;  // each belongs to a request in flight
};

static_assert(SansIo<Allocation>);

}  // namespace culvert::turn
