#include "culvert/turn/allocation.h"

#include <cassert>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/stun/message_builder.h"

namespace culvert::turn {
namespace {

constexpr log::Logger kLog{"turn"};

void keep_earliest(std::optional<Instant>& earliest, std::optional<Instant> other) {
    if (other && (!earliest || *other < *earliest)) {
        earliest = other;
    }
}

}  // namespace

std::string_view to_string(DeathReason reason) {
    switch (reason) {
        case DeathReason::kNoResponse:
            return "no response received";
        case DeathReason::kAuthenticationError:
            return "authentication error";
        case DeathReason::kProtocolFailure:
            return "protocol failure";
    }
    return "unknown";
}

Allocation::Allocation(const RelaySocket& server, Credentials credentials, std::string software, Rng rng, Instant now)
    : server_{server},
      key_{stun::long_term_key(credentials.username, credentials.realm, credentials.password)},
      software_{std::move(software)},
      rng_{std::move(rng)} {
    credentials_ = std::move(credentials);
    probe(now);
}

void Allocation::handle_timeout(Instant now) {
    if (lifetime_ && now >= lifetime_->expires_at) {
        invalidate("expired");
    }
    repeat_due_requests(now);
    if (!lifetime_) {
        return;
    }
    if (now >= lifetime_->refresh_at && !is_in_flight<RefreshRequest>()) {
        send_to_active(RefreshRequest{}, now);
    }
    if (keep_alive_at_ && now >= *keep_alive_at_) {
        keep_alive_at_ = now + kKeepAliveInterval;
        send_to_active(BindingRequest{}, now);
    }
    for (const auto channel : channels_.channels_to_refresh(now)) {
        send_to_active(ChannelBindRequest{channel, channels_.find(channel)->peer}, now);
    }
}

std::optional<Instant> Allocation::poll_timeout() const {
    std::optional<Instant> earliest;
    for (const auto& request : requests_) {
        keep_earliest(earliest, request.backoff.next());
    }
    if (lifetime_) {
        keep_earliest(earliest, lifetime_->expires_at);
        if (!is_in_flight<RefreshRequest>()) {
            keep_earliest(earliest, lifetime_->refresh_at);
        }
        keep_earliest(earliest, keep_alive_at_);
        keep_earliest(earliest, channels_.next_refresh());
    }
    return earliest;
}

std::optional<net::Transmit> Allocation::poll_transmit() {
    if (transmits_.empty()) {
        return std::nullopt;
    }
    auto out = std::move(transmits_.front());
    transmits_.pop_front();
    return out;
}

std::optional<AllocationEvent> Allocation::poll_event() {
    if (events_.empty()) {
        return std::nullopt;
    }
    const auto out = events_.front();
    events_.pop_front();
    return out;
}

void Allocation::bind_channel(const net::SocketAddress& peer, Instant now) {
    if (is_suspended() || channels_.is_bound(peer, now) || is_refused(peer, now) || is_binding(peer)) {
        return;
    }
    if (lifetime_) {
        bind_now(peer, now);
    } else {
        buffer_bind(peer);
    }
}

std::optional<std::uint16_t> Allocation::channel_to(const net::SocketAddress& peer, Instant now) {
    if (const auto channel = channels_.to(peer, now)) {
        return channel;
    }
    bind_channel(peer, now);
    return std::nullopt;
}

void Allocation::refresh(Instant now) {
    if (!credentials_ || has_protocol_failure_ || is_in_flight<AllocateRequest>()) {
        return;
    }
    if (is_suspended()) {
        probe(now);
        return;
    }
    const bool is_asking = std::ranges::any_of(requests_, [](const Request& request) {
        const auto* refresh = std::get_if<RefreshRequest>(&request.kind);
        return refresh != nullptr && (refresh->is_probe || refresh->deletes_allocation);
    });
    if (!active_socket_ || is_asking) {
        return;
    }
    if (lifetime_) {
        send_to_active(RefreshRequest{.is_probe = true}, now, kProbeGiveUpAfter);
    } else {
        send_to_active(AllocateRequest{}, now);  // refused earlier, while the relay's other address is still asked
    }
}

std::optional<net::SocketAddress> Allocation::relay_address(net::Family family) const {
    const auto& relayed = family_state(family).relayed;
    return relayed ? std::optional{relayed->address} : std::nullopt;
}

bool Allocation::is_relay_address(const net::SocketAddress& address) const {
    return relay_address(address.family()) == address;
}

std::vector<Candidate> Allocation::candidates() const {
    std::vector<Candidate> out;
    const auto add = [&](const std::optional<Candidate>& candidate) {
        if (candidate) {
            out.push_back(*candidate);
        }
    };
    for (const auto& family : families_) {
        add(family.host);
        add(family.server_reflexive);
    }
    for (const auto& family : families_) {
        add(family.relayed);
    }
    return out;
}

bool Allocation::is_suspended() const {
    return !lifetime_ && requests_.empty() && transmits_.empty();
}

std::optional<DeathReason> Allocation::death_reason() const {
    if (has_protocol_failure_) {
        return DeathReason::kProtocolFailure;
    }
    if (!requests_.empty() || !transmits_.empty()) {
        return std::nullopt;
    }
    if (!active_socket_) {
        return DeathReason::kNoResponse;
    }
    if (!credentials_) {
        return DeathReason::kAuthenticationError;
    }
    return std::nullopt;
}

void Allocation::probe(Instant now) {
    active_socket_.reset();
    for (const auto& address : {server_.v4, server_.v6}) {
        if (address) {
            send(BindingRequest{}, *address, now);
        }
    }
}

void Allocation::send(RequestKind kind, const net::SocketAddress& destination, Instant now, Duration give_up_after,
                      unsigned challenges) {
    if (!credentials_ && !std::holds_alternative<BindingRequest>(kind)) {
        return;
    }
    requests_.push_back(Request{.kind = kind,
                                .destination = destination,
                                .backoff = Backoff{now, give_up_after},
                                .bytes = {},
                                .challenges = challenges});
    transmit(requests_.back());
}

void Allocation::send_to_active(RequestKind kind, Instant now, Duration give_up_after) {
    if (active_socket_) {
        send(kind, *active_socket_, now, give_up_after);
    }
}

/// First transmission and repetition. A repeated BINDING is byte-identical; anything else is signed anew, with a new
/// transaction id and the newest nonce.
void Allocation::transmit(Request& request) {
    const bool is_binding = std::holds_alternative<BindingRequest>(request.kind);
    if (!is_binding || request.bytes.empty()) {
        request.id = stun::make_transaction_id(rng_);
        if (is_binding) {
            request.bytes = encode_request(request.kind, request.id, software_, nullptr);
        } else {
            assert(credentials_);
            const Authentication authentication{credentials_->username, credentials_->realm, nonce_, key_};
            request.had_nonce = nonce_.has_value();
            request.bytes = encode_request(request.kind, request.id, software_, &authentication);
        }
    }
    transmits_.push_back(
        {.path = {.source = std::nullopt, .destination = request.destination}, .payload = request.bytes});
}

void Allocation::repeat_due_requests(Instant now) {
    for (std::size_t i = 0; i < requests_.size();) {
        auto& request = requests_[i];
        if (!request.backoff.is_due(now)) {
            ++i;
        } else if (request.backoff.trigger(now)) {
            kLog.debug("Repeating request", log::field("relay", request.destination));
            transmit(request);
            ++i;
        } else {
            const auto expired = std::move(request);
            requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(i));
            give_up(expired);  // may clear requests_
        }
    }
}

void Allocation::give_up(const Request& request) {
    kLog.debug("Giving up on request", log::field("relay", request.destination));
    // The other family's first BINDING says nothing about the one in use.
    if (active_socket_ && active_socket_->family() == request.destination.family()) {
        active_socket_.reset();
        invalidate("relay does not respond");
    }
}

void Allocation::invalidate(std::string_view reason) {
    kLog.info("Invalidating allocation", log::field("reason", reason));
    for (auto& family : families_) {
        if (family.relayed) {
            events_.emplace_back(InvalidCandidate{*family.relayed});
            family.relayed.reset();
        }
    }
    channels_.clear();
    refused_peers_.clear();
    lifetime_.reset();
    keep_alive_at_.reset();
    requests_.clear();
    transmits_.clear();
}

void Allocation::bind_now(const net::SocketAddress& peer, Instant now) {
    if (!relay_address(peer.family())) {
        kLog.trace("Not binding a channel: no relay address of the peer's family");
        return;
    }
    const auto channel = channels_.create(peer, now);
    if (!channel) {
        // Every packet to this peer comes here.
        if (!std::exchange(has_warned_of_exhaustion_, true)) {
            kLog.warn("No channel number is free");
        }
        return;
    }
    has_warned_of_exhaustion_ = false;
    send_to_active(ChannelBindRequest{*channel, peer}, now);
}

void Allocation::buffer_bind(const net::SocketAddress& peer) {
    if (buffered_binds_.size() == kMaxBufferedBinds) {
        buffered_binds_.pop_front();
    }
    buffered_binds_.push_back(peer);
}

bool Allocation::is_binding(const net::SocketAddress& peer) const {
    return std::ranges::find(buffered_binds_, peer) != buffered_binds_.end() ||
           std::ranges::any_of(requests_, [&](const Request& request) {
               const auto* bind = std::get_if<ChannelBindRequest>(&request.kind);
               return bind != nullptr && bind->peer == peer;
           });
}

bool Allocation::is_refused(const net::SocketAddress& peer, Instant now) const {
    const auto refused = refused_peers_.find(peer);
    return refused != refused_peers_.end() && now < refused->second;
}

}  // namespace culvert::turn
