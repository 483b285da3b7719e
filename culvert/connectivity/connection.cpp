#include "culvert/connectivity/connection.h"

#include <algorithm>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/packet/constants.h"
#include "culvert/turn/channel_data.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

// The layers' times only work together.
static_assert(kIdleAfter > ice::kDefaultTiming.max_retransmits * ice::kDefaultTiming.max_rto,
              "a lost path is noticed before the connection becomes idle");
static_assert(ice::kIdleTiming.max_rto < std::chrono::seconds{30}, "checks keep NAT bindings alive while idle");
static_assert(kCandidateTimeout < wireguard::kRekeyAttemptTime, "a peer that cannot be reached fails for that reason");
static_assert(kProactiveHandshakeInterval > wireguard::kRekeyAttemptTime, "handshakes without traffic do not overlap");
static_assert(packet::kMaxTunnelDatagram ==
              packet::kMaxIpPacket + wireguard::kDataOverhead + turn::kChannelDataHeaderSize);

/// Names of socket kinds as in section 6; for logs.
std::string_view kind_of(const PeerSocket& socket) {
    return socket.is_relayed ? "relayed" : "direct";
}

}  // namespace

std::string_view to_text(Connection::Failure failure) {
    switch (failure) {
        case Connection::Failure::kNoCandidates:
            return "no candidates received";
        case Connection::Failure::kIceTimeout:
            return "ICE timeout";
        case Connection::Failure::kWireGuardTimeout:
            return "WireGuard timeout";
    }
    return "";
}

net::Ecn ecn_of(ByteSpan ip_packet) {
    if (ip_packet.size() < 2) {
        return net::Ecn::kNotEct;
    }
    const auto first = std::to_integer<unsigned>(ip_packet[0]);
    const auto second = std::to_integer<unsigned>(ip_packet[1]);
    switch (first >> 4) {
        case 4:
            return static_cast<net::Ecn>(second & 3);
        case 6:
            return static_cast<net::Ecn>(second >> 4 & 3);
        default:
            return net::Ecn::kNotEct;
    }
}

Connection::Connection(const ConnectionId& id, Parameters parameters, wireguard::Tunnel tunnel, std::uint32_t index,
                       const std::optional<RelayId>& relay, Rng rng, Instant now, const log::IdField& subject)
    : id_{id},
      parameters_{std::move(parameters)},
      agent_{parameters_.role, parameters_.local, parameters_.remote, index, rng, subject},
      log_{kLog, subject},
      tunnel_{std::move(tunnel)},
      index_{index},
      relay_{relay},
      candidates_forgotten_at_{now},
      created_at_{now},
      last_activity_{now} {
    due_.set(Due::kNoCandidates, now + kCandidateTimeout);
    due_.set(Due::kPathless, now + kPathlessTimeout);
}

Connection::Fit Connection::fit(const net::SocketAddress& local, const net::SocketAddress& from) const {
    if (socket_ && socket_->source == local && socket_->destination == from) {
        return Fit::kPathInUse;
    }
    auto fit = Fit::kNone;
    for (const auto& pair : agent_.pairs()) {
        if (pair.remote().address == from) {
            fit = std::max(fit, pair.has_succeeded() ? Fit::kVerifiedPair : Fit::kPair);
        }
    }
    return fit;
}

// --- Candidates ---

void Connection::add_local_candidate(const ice::Candidate& candidate, Outbox& out, Instant now) {
    if (candidate.kind == ice::CandidateKind::kServerReflexive) {
        signal(candidate, out);  // we send from its base anyway, so the agent need not know it
    } else if (const auto accepted = agent_.add_local_candidate(candidate, now)) {
        signal(*accepted, out);
    }
}

void Connection::remove_local_candidate(const ice::Candidate& candidate, Outbox& out) {
    const auto known = agent_.local_candidates();
    if (candidate.kind == ice::CandidateKind::kServerReflexive) {
        // That a relay sees us elsewhere says little about the mapping towards the peer, which may be the path in use;
        // one that is dead fails its checks. But with the address that it stands for it is gone.
        if (std::ranges::find(known, candidate.base, &ice::Candidate::address) == known.end()) {
            withdraw(candidate, out);
        }
        return;
    }
    const auto mine = std::ranges::find_if(known, [&](const auto& c) { return c.is_same(candidate); });
    if (mine == known.end()) {
        return;
    }
    const auto signalled = *mine;
    (void)agent_.remove_local_candidate(candidate);
    withdraw(signalled, out);
}

void Connection::restore_local_candidates(std::span<const ice::Candidate> seeds, Outbox& out, Instant now) {
    const auto known = agent_.local_candidates();
    for (const auto& seed : seeds) {
        if (std::ranges::find(known, seed.base, &ice::Candidate::address) == known.end()) {
            add_local_candidate(seed, out, now);
        }
    }
}

void Connection::withdraw(const ice::Candidate& candidate, Outbox& out) {
    out.emit(InvalidateIceCandidate{id_, ice::to_string(candidate), candidate.priority});
}

void Connection::handle_network_change(Instant now) {
    note_activity(now);
    moved_at_ = now;
}

void Connection::signal_local_candidates(std::span<const ice::Candidate> seeds, Outbox& out, Instant now) {
    std::vector<ice::Candidate> all;
    for (const auto& seed : seeds) {
        if (seed.kind == ice::CandidateKind::kServerReflexive) {
            all.push_back(seed);
        } else {
            (void)agent_.add_local_candidate(seed, now);
        }
    }
    std::ranges::copy(agent_.local_candidates(), std::back_inserter(all));
    sort_for_signalling(all);
    for (const auto& candidate : all) {
        signal(candidate, out);
    }
}

void Connection::signal(const ice::Candidate& candidate, Outbox& out) {
    auto text = ice::to_string(candidate);
    log_.debug("Signalling candidate", log::field("candidate", text));
    out.emit(NewIceCandidate{id_, std::move(text), candidate.priority});
}

bool Connection::may_have_channel(const net::SocketAddress& address, Instant now) {
    if (channels_.admit(address, now)) {
        return true;
    }
    if (!std::exchange(has_logged_channel_limit_, true)) {
        log_.debug("Peer has too many addresses, no more are reached through the relay",
                   log::field("limit", kMaxChannelsPerConnection));
    }
    return false;
}

bool Connection::may_learn_candidate(Instant now) {
    const auto forgotten_at = std::max(candidates_forgotten_at_, now) + kCandidateInterval;
    if (forgotten_at > now + kCandidateBurst * kCandidateInterval) {
        return false;
    }
    candidates_forgotten_at_ = forgotten_at;
    return true;
}

// --- Packets ---

void Connection::send_packet(ByteSpan ip_packet, Outbox& out, Instant now) {
    note_activity(now);
    if (!socket_) {
        // A gateway has nothing to send to a client that is not there yet.
        if (initiates() || parameters_.is_between_clients) {
            buffered_packets_.push(to_bytes(ip_packet));
        }
        return;
    }
    if (tunnel_.has_usable_session(now)) {
        send_last_packet(ip_packet, out, now);
        return;
    }
    tunnel_.queue(ip_packet, now);
    flush_tunnel(out, now);
}

void Connection::send_last_packet(ByteSpan ip_packet, Outbox& out, Instant now) {
    Bytes datagram(ip_packet.size() + wireguard::kDataOverhead);
    if (socket_ && tunnel_.has_usable_session(now) && tunnel_.seal(ip_packet, datagram, now)) {
        out.send(*socket_, relay_, datagram, ecn_of(ip_packet), now);
    }
}

void Connection::start_proactive_handshake(Instant now) {
    if (!initiates()) {
        return;
    }
    // Right after a move paths follow each other, and what was sent on one may be lost, while the peer waits for a
    // proof.
    const bool is_moving = moved_at_ && now - *moved_at_ < kMovingTime;
    const bool was_started_lately =
        proactive_handshake_at_ && now - *proactive_handshake_at_ < kProactiveHandshakeInterval;
    if (!is_moving && (tunnel_.handshake_in_progress() || was_started_lately)) {
        return;
    }
    proactive_handshake_at_ = now;
    tunnel_.initiate_handshake_again(now);
}

void Connection::note_handshake(Outbox& out) {
    if (!std::exchange(is_established_, true)) {
        log_.info("Connection established");
        out.emit(ConnectionEstablished{id_});
    }
}

void Connection::flush_tunnel(Outbox& out, Instant now) {
    while (auto datagram = tunnel_.poll_transmit()) {
        if (socket_) {
            out.send(*socket_, relay_, *datagram, net::Ecn::kNotEct, now);
        } else {
            buffered_datagrams_.push(std::move(*datagram));
        }
    }
}

// --- Time ---

void Connection::handle_timeout(Relays& relays, Outbox& out, Instant now) {
    agent_.handle_timeout(now);
    follow_agent(now);
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kIdle:
                return fall_asleep(now);
            case Due::kNoCandidates:
                return fail(Failure::kNoCandidates);
            case Due::kDisconnected:
            case Due::kPathless:
                return fail(Failure::kIceTimeout);
            case Due::kDirectRetry:
                return retry_direct_path(now);
        }
    });
    if (failure_) {
        return;
    }
    if (socket_) {
        tunnel_.handle_timeout(now);
        flush_tunnel(out, now);
        if (tunnel_.is_expired()) {
            fail(Failure::kWireGuardTimeout);
            return;
        }
    }
    // Before the agent's packets leave, so that a client's handshake overtakes the check that tells the gateway about
    // the path: section 2.3 calls this visible on the wire.
    handle_agent_events(relays, out, now);
    send_checks(out, now);
}

void Connection::send_checks(Outbox& out, Instant now) {
    while (const auto transmit = agent_.poll_transmit()) {
        const bool is_relayed = transmit->source_kind == ice::CandidateKind::kRelay;
        if (!is_relayed || may_have_channel(transmit->destination, now)) {
            out.send(*transmit, now);
        }
    }
}

std::optional<Instant> Connection::poll_timeout() const {
    return earliest(due_.next(), agent_.poll_timeout(), socket_ ? tunnel_.poll_timeout() : std::nullopt);
}

/// What the agent's candidates, pairs and state make due or not.
void Connection::follow_agent(Instant now) {
    if (agent_.has_known_remote_candidate()) {
        due_.clear(Due::kNoCandidates);
    }
    if (agent_.pairs().empty()) {
        due_.bring_forward(Due::kPathless, now + kPathlessTimeout);
    } else {
        due_.clear(Due::kPathless);
    }
    if (!agent_.is_relayed()) {
        direct_retry_pause_ = kFirstDirectRetry;
        due_.clear(Due::kDirectRetry);
    } else if (!due_.is_set(Due::kDirectRetry) && phase_ == Phase::kConnected) {
        due_.set(Due::kDirectRetry, now + direct_retry_pause_);
    }
    update_idle_deadline();
}

void Connection::update_idle_deadline() {
    const auto ice = agent_.state();
    if (phase_ == Phase::kConnected && (ice == ice::AgentState::kConnected || ice == ice::AgentState::kCompleted)) {
        due_.set(Due::kIdle, last_activity_ + kIdleAfter);
    } else {
        due_.clear(Due::kIdle);
    }
}

void Connection::fall_asleep(Instant now) {
    log_.debug("Connection became idle");
    phase_ = Phase::kIdle;
    agent_.set_timing(ice::kIdleTiming, now);
}

/// Not while nothing is sent anyway: the first packet afterwards makes up for it.
void Connection::retry_direct_path(Instant now) {
    if (phase_ == Phase::kIdle) {
        return;
    }
    log_.debug("Looking for a direct path again");
    agent_.retry_direct_pairs(now);
    direct_retry_pause_ = std::min(2 * direct_retry_pause_, kLongestDirectRetry);
    due_.set(Due::kDirectRetry, now + direct_retry_pause_);
}

void Connection::note_peer_path(const net::SocketAddress& local, const net::SocketAddress& from, Instant now) {
    if (socket_ && (socket_->source != local || socket_->destination != from)) {
        note_activity(now);
    }
    agent_.note_peer_path(local, from, now);
}

void Connection::wake_up(Instant now) {
    log_.debug("Connection woke up");
    phase_ = Phase::kConnected;
    agent_.set_timing(ice::kDefaultTiming, now);
    update_idle_deadline();
    if (agent_.is_relayed() && !due_.is_set(Due::kDirectRetry)) {
        due_.set(Due::kDirectRetry, now);
    }
}

void Connection::fail(Failure failure) {
    if (failure_) {
        return;
    }
    log_.info("Connection failed", log::field("reason", to_text(failure)));
    failure_ = failure;
}

// --- ICE ---

void Connection::handle_agent_events(Relays& relays, Outbox& out, Instant now) {
    const auto before = socket_;
    while (const auto event = agent_.poll_event()) {
        std::visit(overloaded{
                       [&](const ice::StateChanged& changed) { handle_state(changed.state, now); },
                       [&](const ice::Nominated& nominated) { handle_nomination(nominated, relays, out, now); },
                   },
                   *event);
    }
    if (socket_ != before) {
        start_proactive_handshake(now);  // one, by the last path: the peer answers no two at once
        flush_tunnel(out, now);
    }
}

void Connection::handle_state(ice::AgentState state, Instant now) {
    log_.debug("ICE state changed", log::field("state", ice::to_text(state)));
    if (state == ice::AgentState::kDisconnected) {
        due_.set(Due::kDisconnected, now + kDisconnectGrace);
    } else {
        due_.clear(Due::kDisconnected);
    }
}

void Connection::handle_nomination(const ice::Nominated& nominated, Relays& relays, Outbox& out, Instant now) {
    if (agent_.nominated() != nominated) {
        return;  // of a path that is gone since, with its relay
    }
    const PeerSocket socket{nominated.source, nominated.destination,
                            relays.find_by_relay_address(nominated.source) != nullptr};
    if (socket_ == socket) {
        return;
    }
    log_.info("Updating remote socket", log::field("kind", kind_of(socket)),
              log::field("since_request_ms", (now - created_at_) / std::chrono::milliseconds{1}));
    log_.debug("Updating remote socket", log::field("local", socket.source), log::field("remote", socket.destination));
    socket_ = socket;
    socket_since_ = now;
    if (phase_ == Phase::kConnecting) {
        phase_ = Phase::kConnected;
        last_activity_ = now;
        update_idle_deadline();
        flush_buffers(out, now);
    }
}

void Connection::flush_buffers(Outbox& out, Instant now) {
    for (const auto& datagram : buffered_datagrams_.take()) {
        out.send(*socket_, relay_, datagram, net::Ecn::kNotEct, now);
    }
    for (const auto& packet : buffered_packets_.take()) {
        if (initiates()) {
            tunnel_.queue(packet, now);
        } else {
            tunnel_.hold(packet);  // to initiate would be to fight with the peer's handshake (section 7.3)
        }
    }
}

}  // namespace culvert::connectivity
