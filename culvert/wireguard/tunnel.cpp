#include "culvert/wireguard/tunnel.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace culvert::wireguard {
namespace {

constexpr log::Logger kLog{"wireguard"};

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;

/// The IP packet at the start of `plaintext` without what follows it: peers may pad to 16 bytes.
std::optional<MutableByteSpan> cut_to_ip_length(MutableByteSpan plaintext) {
    std::size_t length = 0;
    std::size_t minimum = 0;
    switch (std::to_integer<unsigned>(plaintext[0]) >> 4) {
        case 4:
            minimum = kIpv4Header;
            if (plaintext.size() >= minimum) {
                length = load_be<std::uint16_t>(plaintext.subspan(2));
            }
            break;
        case 6:
            minimum = kIpv6Header;
            if (plaintext.size() >= minimum) {
                length = kIpv6Header + load_be<std::uint16_t>(plaintext.subspan(4));
            }
            break;
        default:
            return std::nullopt;
    }
    if (length < minimum || length > plaintext.size()) {
        return std::nullopt;
    }
    return plaintext.first(length);
}

}  // namespace

Tunnel::Tunnel(const crypto::KeyPair& local, const crypto::PublicKey& peer, const crypto::PresharedKey& preshared,
               std::uint32_t id24, Rng rng, Instant now, WallTime wall_now, const log::IdField& subject)
    : log_{kLog, subject},
      identities_{local, peer, preshared, {}},
      id24_{id24},
      rng_{rng},
      mac_writer_{peer},
      created_at_{now},
      wall_created_at_{wall_now},
      last_sent_timestamp_{std::chrono::nanoseconds::min()},
      timers_{now} {
    assert(id24 < 1U << 24);
    if (const auto shared = local.shared_secret(peer)) {
        identities_.static_shared = *shared;
    } else {
        expire();
    }
    crypto::wipe_stack();
}

Tunnel::Handled Tunnel::handle_packet(MutableByteSpan datagram, Instant now) {
    if (expired_) {
        return std::unexpected{Error::kExpired};
    }
    const auto kind = classify(datagram);
    if (!kind) {
        return std::unexpected{Error::kNotWireGuard};
    }
    switch (*kind) {
        case PacketKind::kData:
            return handle_data(datagram, now);
        case PacketKind::kInitiation:
            return handle_initiation(ByteSpan{datagram}, now);
        case PacketKind::kResponse:
            return handle_response(datagram, now);
        case PacketKind::kCookieReply:
            return handle_cookie_reply(datagram, now);
    }
    return std::unexpected{Error::kNotWireGuard};
}

Tunnel::Handled Tunnel::handle_data(MutableByteSpan datagram, Instant now) {
    const auto index = receiver_index(datagram);
    const auto& session = slot(index);
    if (session == nullptr || session->local_index() != index || now >= session->expires_at()) {
        return std::unexpected{Error::kUnknownIndex};
    }
    const auto plaintext = session->open(datagram);
    if (!plaintext) {
        return std::unexpected{plaintext.error()};
    }
    if (plaintext->empty()) {
        timers_.on_other_received();
    } else {
        timers_.on_data_received(now);
    }
    if (!session->is_confirmed()) {
        session->confirm();
        if (current_ == nullptr || session->established_at() >= current_->established_at()) {
            start_sending_on(*session);
            flush_queue(now);
        }
    }
    if (plaintext->empty()) {
        return std::nullopt;
    }
    const auto packet = cut_to_ip_length(*plaintext);
    if (!packet) {
        return std::unexpected{Error::kBadInnerPacket};
    }
    return packet;
}

Tunnel::Handled Tunnel::handle_initiation(ByteSpan message, Instant now) {
    const auto opened = open_initiation(identities_.local, message);
    if (!opened) {
        return std::unexpected{opened.error()};
    }
    if (const auto handled = handle_initiation(*opened, now); !handled) {
        return std::unexpected{handled.error()};
    }
    return std::nullopt;
}

std::expected<void, Error> Tunnel::handle_initiation(const OpenedInitiation& opened, Instant now) {
    if (expired_) {
        return std::unexpected{Error::kExpired};
    }
    if (now < next_initiation_at_) {
        return std::unexpected{Error::kTooManyHandshakes};
    }
    // Only what the peer itself sent, and now, counts: else others could use up its handshakes.
    const auto initiation = read_initiation(identities_, opened);
    crypto::wipe_stack();
    if (!initiation) {
        return std::unexpected{initiation.error()};
    }
    if (initiation->timestamp <= last_received_timestamp_) {
        return std::unexpected{Error::kOldTimestamp};
    }
    const auto index = next_index();
    auto response = write_response(identities_, *initiation, index, rng_);
    crypto::wipe_stack();
    if (!response) {
        return std::unexpected{response.error()};
    }
    last_received_timestamp_ = initiation->timestamp;
    next_initiation_at_ = now + kInitiationInterval;
    timers_.on_other_received();
    log_.debug("Answering handshake initiation", log::field("index", index));
    install(HandshakeRole::kResponder, index, initiation->peer_index, response->second, now);
    send_handshake_message(std::move(response->first), now);
    return {};
}

Tunnel::Handled Tunnel::handle_response(ByteSpan message, Instant now) {
    const auto index = receiver_index(message);
    auto* const initiation = find_outstanding(index);
    if (initiation == nullptr) {
        return std::unexpected{Error::kUnknownIndex};
    }
    const auto secrets = read_response(identities_, **initiation, message);
    crypto::wipe_stack();
    if (!secrets) {
        return std::unexpected{secrets.error()};
    }
    log_.debug("Received handshake response", log::field("index", index));
    initiation->reset();
    timers_.on_other_received();
    start_sending_on(install(HandshakeRole::kInitiator, index, sender_index(message), *secrets, now));
    // The responder sends nothing on the session before it has heard from us.
    send_keepalive();
    flush_queue(now);
    return std::nullopt;
}

Tunnel::Handled Tunnel::handle_cookie_reply(ByteSpan message, Instant now) {
    if (!mac_writer_.accept_cookie_reply(message, now)) {
        return std::unexpected{Error::kBadTag};
    }
    log_.debug("Received cookie; the next handshake message will carry it");
    return std::nullopt;
}

bool Tunnel::seal(ByteSpan ip_packet, MutableByteSpan out, Instant now) {
    if (!has_usable_session(now)) {
        return false;
    }
    current_->seal(ip_packet, out);
    timers_.on_data_sent(now);
    return true;
}

void Tunnel::queue(ByteSpan ip_packet, Instant now) {
    if (expired_) {
        return;
    }
    if (has_usable_session(now)) {
        send_data(ip_packet, now);
        return;
    }
    hold(ip_packet);
    initiate_handshake(now);
}

void Tunnel::hold(ByteSpan ip_packet) {
    if (!expired_ && queue_.size() < kMaxQueuedPackets) {
        queue_.push_back(to_bytes(ip_packet));
    }
}

void Tunnel::initiate_handshake(Instant now) {
    if (!expired_ && !handshake_in_progress()) {
        send_initiation(now);
    }
}

void Tunnel::initiate_handshake_again(Instant now) {
    if (!expired_) {
        send_initiation(now);
    }
}

void Tunnel::handle_timeout(Instant now) {
    timers_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kLifetime:
            case Due::kAttempt:
                log_.debug("Tunnel expired", log::field("handshake_unanswered", due == Due::kAttempt));
                return expire();
            case Due::kSessionExpiry:
                return remove_expired_sessions(now);
            case Due::kUnansweredData:
                if (now >= current_->expires_at()) {
                    return;  // we come late, and nobody can answer any more what was sent on it
                }
                return schedule_initiation(now);
            case Due::kRenewal:
            case Due::kRetransmission:
                return schedule_initiation(now);
            case Due::kInitiation:
                return send_initiation(now);
            case Due::kKeepalive:
                if (has_usable_session(now)) {
                    send_keepalive();
                }
                return;
        }
    });
}

std::optional<Bytes> Tunnel::poll_transmit() {
    if (transmits_.empty()) {
        return std::nullopt;
    }
    auto datagram = std::move(transmits_.front());
    transmits_.pop_front();
    return datagram;
}

std::optional<OutstandingInitiation>* Tunnel::find_outstanding(std::uint32_t index) {
    for (auto* const candidate : {&outstanding_, &previous_}) {
        if (candidate->has_value() && (*candidate)->index == index) {
            return candidate;
        }
    }
    return nullptr;
}

Session& Tunnel::install(HandshakeRole role, std::uint32_t local_index, std::uint32_t peer_index,
                         const TransportSecrets& secrets, Instant now) {
    auto& place = slot(local_index);
    if (current_ == place.get()) {
        current_ = nullptr;
    }
    place = std::make_unique<Session>(role, local_index, peer_index, secrets, now);
    crypto::wipe_stack();
    timers_.on_new_keys(now);
    update_session_expiry();
    last_handshake_at_ = now;
    return *place;
}

void Tunnel::start_sending_on(Session& session) {
    current_ = &session;
    timers_.on_session_started(session);
    if (outstanding_) {
        previous_ = std::exchange(outstanding_, std::nullopt);
    }
}

void Tunnel::remove_expired_sessions(Instant now) {
    for (auto& session : sessions_) {
        if (session == nullptr || now < session->expires_at()) {
            continue;
        }
        log_.debug("Session expired", log::field("index", session->local_index()));
        if (session.get() == current_) {
            current_ = nullptr;
            timers_.on_session_lost();
            if (session->is_initiator() && !timers_.has_initiation()) {
                schedule_initiation(now);
            }
        }
        session.reset();
    }
    update_session_expiry();
}

void Tunnel::update_session_expiry() {
    std::optional<Instant> first;
    for (const auto& session : sessions_) {
        if (session != nullptr) {
            first = earliest(first, session->expires_at());
        }
    }
    timers_.set_session_expiry(first);
}

void Tunnel::expire() {
    expired_ = true;
    timers_.stop();
    current_ = nullptr;
    std::ranges::fill(sessions_, nullptr);
    outstanding_.reset();
    previous_.reset();
    queue_.clear();
    transmits_.clear();
}

void Tunnel::schedule_initiation(Instant now) {
    const auto jitter = rng_.below(static_cast<std::uint64_t>(kMaxJitter.count()) + 1);
    timers_.schedule_initiation(now + Duration{static_cast<Duration::rep>(jitter)});
}

void Tunnel::send_initiation(Instant now) {
    if (outstanding_) {
        previous_ = std::exchange(outstanding_, std::nullopt);
    }
    auto [message, initiation] = write_initiation(identities_, next_index(), next_timestamp(now), rng_);
    crypto::wipe_stack();
    log_.debug("Sending handshake initiation", log::field("index", initiation.index));
    outstanding_ = std::move(initiation);
    timers_.on_initiation_sent(now);
    send_handshake_message(std::move(message), now);
}

void Tunnel::send_handshake_message(Bytes message, Instant now) {
    mac_writer_.write(message, now);
    timers_.on_other_sent();
    push_transmit(std::move(message));
}

void Tunnel::send_keepalive() {
    Bytes datagram(kDataOverhead);
    current_->seal({}, datagram);
    timers_.on_other_sent();
    push_transmit(std::move(datagram));
}

void Tunnel::send_data(ByteSpan ip_packet, Instant now) {
    Bytes datagram(ip_packet.size() + kDataOverhead);
    if (seal(ip_packet, datagram, now)) {
        push_transmit(std::move(datagram));
    }
}

void Tunnel::flush_queue(Instant now) {
    for (const auto& packet : std::exchange(queue_, {})) {
        send_data(packet, now);
    }
}

void Tunnel::push_transmit(Bytes datagram) {
    if (transmits_.size() < kMaxPendingTransmits) {
        transmits_.push_back(std::move(datagram));
    }
}

std::uint32_t Tunnel::next_index() {
    auto index = id24_ << 8 | ++index_counter_;
    if (current_ != nullptr && slot(index).get() == current_) {
        index = id24_ << 8 | ++index_counter_;
    }
    return index;
}

Tai64n Tunnel::next_timestamp(Instant now) {
    // Strictly increasing even if two initiations leave in the same instant: the peer refuses anything else.
    last_sent_timestamp_ =
        std::max(wall_created_at_ + (now - created_at_), last_sent_timestamp_ + std::chrono::nanoseconds{1});
    return Tai64n::from(last_sent_timestamp_);
}

}  // namespace culvert::wireguard
