#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/observability/id_logger.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/error.h"
#include "culvert/wireguard/handshake.h"
#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/message.h"
#include "culvert/wireguard/session.h"
#include "culvert/wireguard/tai64n.h"
#include "culvert/wireguard/timers.h"

namespace culvert {
class Snapshot;
}

namespace culvert::wireguard {

/// WireGuard with one peer: handshakes in both roles, transport sessions and all timers of spec/connectivity.md
/// section 7. Knows no addresses: whoever owns it decides where its packets go.
///
/// Sans-IO: feed it datagrams and time, drain its outputs. seal() and handle_packet() of data allocate nothing and
/// only store timestamps; what follows from those is decided in handle_timeout().
///
/// All functions take `now`, which must not run backwards.
class Tunnel {
public:
    /// `id24` is the upper part of all receiver indices of this tunnel: index = id24 << 8 | counter. Requires
    /// id24 < 2^24. `wall_now` is the origin of handshake timestamps. A peer key of low order makes the tunnel expired
    /// from the start. `subject` tells tunnels apart in the log.
    Tunnel(const crypto::KeyPair& local, const crypto::PublicKey& peer, const crypto::PresharedKey& preshared,
           std::uint32_t id24, Rng rng, Instant now, WallTime wall_now, const log::IdField& subject = {});

    /// Consumes one datagram from the peer, any kind, in place. Looks at no MAC: handshake messages must have been
    /// admitted by the node's HandshakeLimiter.
    ///
    /// Yields the inner IP packet, cut to the length its header states, or nullopt if there is nothing for the TUN
    /// (handshakes, keep-alives). Not checked beyond version and length. Answers wait in poll_transmit(); a data packet
    /// can cause some, too, when it confirms a session.
    [[nodiscard]] std::expected<std::optional<MutableByteSpan>, Error> handle_packet(MutableByteSpan datagram,
                                                                                     Instant now);

    /// The same for an initiation that open_initiation() has read already: the owner of many tunnels must do that to
    /// find this one. Errors: kExpired, kTooManyHandshakes, and those of read_initiation() and kOldTimestamp.
    [[nodiscard]] std::expected<void, Error> handle_initiation(const OpenedInitiation& opened, Instant now);

    /// Whether seal() would succeed.
    [[nodiscard]] bool has_usable_session(Instant now) const { return current_ != nullptr && current_->can_send(now); }

    /// Encrypts an IP packet into `out`, which must have ip_packet.size() + kDataOverhead bytes and either not overlap
    /// `ip_packet` or hold it exactly kDataHeaderSize bytes from its start. False without a usable session: queue().
    [[nodiscard]] bool seal(ByteSpan ip_packet, MutableByteSpan out, Instant now);

    /// Keeps a packet until there is a session and starts a handshake if none is running. The newest packet is dropped
    /// when kMaxQueuedPackets are waiting. With a usable session the packet goes straight to poll_transmit().
    void queue(ByteSpan ip_packet, Instant now);
    /// Keeps a packet likewise, but waits for the peer's handshake.
    void hold(ByteSpan ip_packet);

    /// Sends an initiation now, unless a handshake is in progress.
    void initiate_handshake(Instant now);
    /// Also if one is running, whose initiation may have gone nowhere.
    void initiate_handshake_again(Instant now);
    /// Whether an initiation of ours is unanswered.
    [[nodiscard]] bool handshake_in_progress() const { return timers_.handshake_in_progress(); }
    /// When session keys were last derived, in either role; nullopt before the first time.
    [[nodiscard]] std::optional<Instant> last_handshake_at() const { return last_handshake_at_; }

    void handle_timeout(Instant now);
    /// When handle_timeout() has something to do: exact, but being late only makes things happen later. nullopt once
    /// expired.
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return timers_.next(); }
    /// The next datagram for the peer, in order. Cheap when there is none.
    [[nodiscard]] std::optional<Bytes> poll_transmit();

    /// Whether the tunnel has given up: an initiation stayed unanswered for 15 s, or there was no new session for 540
    /// s. It sends and accepts nothing from then on.
    [[nodiscard]] bool is_expired() const { return expired_; }

    [[nodiscard]] TunnelState state() const;
    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    using Handled = std::expected<std::optional<MutableByteSpan>, Error>;

    [[nodiscard]] Handled handle_data(MutableByteSpan datagram, Instant now);
    [[nodiscard]] Handled handle_initiation(ByteSpan message, Instant now);
    [[nodiscard]] Handled handle_response(ByteSpan message, Instant now);
    [[nodiscard]] Handled handle_cookie_reply(ByteSpan message, Instant now);

    [[nodiscard]] std::optional<OutstandingInitiation>* find_outstanding(std::uint32_t index);
    Session& install(HandshakeRole role, std::uint32_t local_index, std::uint32_t peer_index,
                     const TransportSecrets& secrets, Instant now);
    void start_sending_on(Session& session);
    void remove_expired_sessions(Instant now);
    void update_session_expiry();
    void expire();

    void schedule_initiation(Instant now);
    void send_initiation(Instant now);
    void send_handshake_message(Bytes message, Instant now);
    void send_keepalive();
    void send_data(ByteSpan ip_packet, Instant now);
    void flush_queue(Instant now);
    void push_transmit(Bytes datagram);

    /// Where the next session will be: never in the place of the one in use, however many handshakes a peer begins.
    [[nodiscard]] std::uint32_t next_index();
    [[nodiscard]] Tai64n next_timestamp(Instant now);
    [[nodiscard]] std::unique_ptr<Session>& slot(std::uint32_t index) { return sessions_[index % kMaxSessions]; }

    log::IdLogger log_;
    Identities identities_;
    std::uint32_t id24_;
    std::uint8_t index_counter_ = 0;
    Rng rng_;
    MacWriter mac_writer_;

    // Where the time of handshake timestamps comes from, and the last ones used and seen.
    Instant created_at_;
    std::chrono::sys_time<std::chrono::nanoseconds> wall_created_at_;
    std::chrono::sys_time<std::chrono::nanoseconds> last_sent_timestamp_;
    Tai64n last_received_timestamp_;
    /// Before this an initiation of the peer comes too soon after the one before.
    Instant next_initiation_at_ = Instant::min();

    Timers timers_;
    std::optional<Instant> last_handshake_at_;
    std::optional<OutstandingInitiation> outstanding_;
    // A response may be late: still good after the initiation it answers was repeated or has become pointless.
    std::optional<OutstandingInitiation> previous_;

    std::array<std::unique_ptr<Session>, kMaxSessions> sessions_;
    Session* current_ = nullptr;  // the one we send on, in sessions_

    std::deque<Bytes> queue_;
    std::deque<Bytes> transmits_;
    bool expired_ = false;
};

static_assert(SansIo<Tunnel>);

}  // namespace culvert::wireguard
