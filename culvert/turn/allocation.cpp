#include "culvert/turn/allocation.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/stun/message_builder.h"

namespace culvert::turn {
namespace {

using stun::AttributeType;

constexpr log::Logger kLog{"turn"};

/// The relay has an allocation for our address that is somebody else's: a NAT gave us a port that another host behind
/// it had (RFC 8656 section 5). Ours is lost, and a new one is to be had. Not so if we meant to delete it: then asking
/// goes round in circles.
bool is_anothers(const Request& request, std::uint16_t code) {
    const auto* refresh = std::get_if<RefreshRequest>(&request.kind);
    return code == stun::kWrongCredentials && (std::holds_alternative<ChannelBindRequest>(request.kind) ||
                                               (refresh != nullptr && !refresh->deletes_allocation));
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

Allocation::Allocation(const RelaySocket& server, LongTermCredentials credentials, std::string software, Rng rng,
                       Instant now, const log::IdField& subject)
    : log_{kLog, subject},
      server_{server},
      key_{stun::long_term_key(credentials.username, credentials.realm, credentials.password)},
      software_{std::move(software)},
      rng_{std::move(rng)} {
    credentials_ = std::move(credentials);
    probe(now);
}

void Allocation::handle_timeout(Instant now) {
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kExpiry:
                invalidate("expired");
                return retry_later(now);
            case Due::kRefresh:
                if (!requests_.contains<RefreshRequest>()) {
                    send_to_active(RefreshRequest{}, now);
                }
                return;
            case Due::kKeepAlive:
                due_.set(Due::kKeepAlive, now + kKeepAliveInterval);
                if (!is_asking_where_we_are()) {
                    send_to_active(BindingRequest{}, now);
                }
                return;
            case Due::kRetry:
                if (is_suspended() && credentials_) {
                    probe(now);
                }
                return;
        }
    });
    bool is_mute = false;
    requests_.expire(
        now,
        [&](Request& request) {
            log_.debug("Repeating request", log::field("server", request.destination));
            transmit(request);
            is_mute |= request.destination == active_socket_;
        },
        [&](const Request& request) { give_up(request, now); });
    if (is_mute && is_verifying_ && spare_socket_) {
        move_to(*spare_socket_, now);
    }
    for (const auto channel : channels_.channels_to_refresh(now)) {
        send_to_active(ChannelBindRequest{channel, channels_.find(channel)->peer}, now);
    }
}

std::optional<Instant> Allocation::poll_timeout() const {
    return earliest(due_.next(), requests_.next(), channels_.next_refresh());
}

std::optional<net::Transmit> Allocation::poll_transmit() {
    if (transmits_.empty()) {
        return std::nullopt;
    }
    auto out = std::move(transmits_.front());
    transmits_.pop_front();
    return out;
}

void Allocation::bind_channel(const net::SocketAddress& peer, Instant now) {
    if (is_suspended() || channels_.is_bound(peer, now) || refused_peers_.contains(peer, now) || is_binding(peer)) {
        return;
    }
    if (has_allocation()) {
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
    if (!credentials_ || has_protocol_failure_ || requests_.contains<AllocateRequest>()) {
        return;
    }
    if (is_suspended()) {
        probe(now);
        return;
    }
    const bool is_asking = std::ranges::any_of(requests_, [](const Request& request) {
        const auto* refresh = std::get_if<RefreshRequest>(&request.kind);
        // One that was sent a moment ago asks the same; after a second it is late, and the probe finds out sooner.
        return refresh != nullptr &&
               (refresh->is_probe || refresh->deletes_allocation || request.timer.sent_once_at().has_value());
    });
    if (!active_socket_ || is_asking) {
        return;
    }
    if (has_allocation()) {
        send_to_active(RefreshRequest{.is_probe = true}, now, kProbeGiveUpAfter);
    } else {
        send_to_active(AllocateRequest{}, now);  // refused earlier, while the relay's other address is still asked
    }
}

void Allocation::handle_network_change(std::span<const net::IpAddress> host, Instant now) {
    if (!credentials_ || has_protocol_failure_) {
        return;
    }
    spare_socket_.reset();
    is_verifying_ = true;
    new_addresses_.emplace(host.begin(), host.end());
    if (!has_allocation()) {
        requests_.clear();  // of an address that may be gone
        transmits_.clear();
        probe(now);
        return;
    }
    requests_.erase<BindingRequest>();  // those that are on their way say where we were
    for (const auto& address : {server_.v4, server_.v6}) {
        if (address) {
            send(BindingRequest{}, *address, now);
        }
    }
}

/// Another address of the relay is another allocation.
void Allocation::move_to(net::SocketAddress address, Instant now) {
    invalidate("the relay is reached at another address");
    is_verifying_ = false;
    spare_socket_.reset();
    active_socket_ = address;
    send_to_active(AllocateRequest{}, now);
}

bool Allocation::is_relay_address(const net::SocketAddress& address) const {
    return relay_address(address.family()) == address;
}

bool Allocation::is_suspended() const {
    return !has_allocation() && requests_.empty() && transmits_.empty();
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
    round_trip_.reset();
    is_verifying_ = false;
    spare_socket_.reset();
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
    if (std::holds_alternative<RefreshRequest>(kind)) {
        due_.clear(Due::kRefresh);  // what comes of this one says when the next is due
    }
    transmit(requests_.add({.kind = kind,
                            .destination = destination,
                            .timer = RetransmissionTimer{now, give_up_after},
                            .bytes = {},
                            .challenges = challenges}));
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

void Allocation::give_up(const Request& request, Instant now) {
    log_.debug("Giving up on request", log::field("server", request.destination));
    // The other family's first BINDING says nothing about the one in use.
    if (!active_socket_ || active_socket_->family() != request.destination.family()) {
        return;
    }
    active_socket_.reset();
    round_trip_.reset();
    invalidate("relay does not respond");
    // One family may be broken on the way while the other one, which worked before, still does. It has to say so soon,
    // before connections are given up that another relay could carry, and there is no going back and forth.
    const auto& other = request.destination.is_v4() ? server_.v6 : server_.v4;
    if (other && candidates_.server_reflexive(other->family()) && !std::exchange(has_failed_over_, true)) {
        send(BindingRequest{}, *other, now, kProbeGiveUpAfter);
    }
}

/// Without an allocation and without a request in flight: a relay that was full may have room in a while.
void Allocation::retry_later(Instant now) {
    due_.set(Due::kRetry, now + retry_pause_);
    retry_pause_ = std::min(2 * retry_pause_, kLongestAllocateRetry);
}

/// It is asked again and again: said once.
log::Level Allocation::level_of_refusal() {
    return std::exchange(has_warned_of_refusal_, true) ? log::Level::kDebug : log::Level::kWarn;
}

void Allocation::note_round_trip(const Request& request, Instant now) {
    const auto sent_at = request.timer.sent_once_at();
    if (sent_at && (!active_socket_ || *active_socket_ == request.destination)) {
        const auto sample = now - *sent_at;
        round_trip_ = round_trip_ ? (7 * *round_trip_ + sample) / 8 : sample;
    }
}

void Allocation::invalidate(std::string_view reason) {
    log_.info("Invalidating allocation", log::field("reason", reason));
    candidates_.remove_relayed();
    channels_.clear();
    refused_peers_.clear();
    due_.clear();
    requests_.clear();
    transmits_.clear();
}

void Allocation::bind_now(const net::SocketAddress& peer, Instant now) {
    if (!relay_address(peer.family())) {
        log_.trace("Not binding a channel: no relay address of the peer's family");
        return;
    }
    const auto channel = channels_.create(peer, now);
    if (!channel) {
        // Every packet to this peer comes here.
        if (!std::exchange(has_warned_of_exhaustion_, true)) {
            log_.warn("No channel number is free");
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

bool Allocation::is_asking_where_we_are() const {
    return std::ranges::any_of(requests_, [&](const Request& request) {
        return std::holds_alternative<BindingRequest>(request.kind) && request.destination == active_socket_;
    });
}

bool Allocation::is_binding(const net::SocketAddress& peer) const {
    return std::ranges::find(buffered_binds_, peer) != buffered_binds_.end() ||
           requests_.contains<ChannelBindRequest>([&](const ChannelBindRequest& bind) { return bind.peer == peer; });
}

bool Allocation::handle_input(const net::SocketAddress& local, const net::SocketAddress& from, ByteSpan datagram,
                              Instant now) {
    const auto message = stun::Message::parse(datagram);
    if (!message) {
        log_.debug("Ignoring malformed datagram from relay", log::field("error", stun::to_string(message.error())));
        return false;
    }
    return handle_input(local, from, *message, now);
}

bool Allocation::handle_input(const net::SocketAddress& local, const net::SocketAddress& from,
                              const stun::Message& message, Instant now) {
    const auto place = requests_.find(message, from);
    if (!place) {
        log_.debug("Ignoring message that answers no request", log::field("server", from));
        return false;
    }
    if (!std::holds_alternative<BindingRequest>(requests_[*place].kind) && !message.verify_integrity(key_.reveal())) {
        log_.warn("Ignoring response without valid message integrity",
                  log::field("has_integrity", message.has_integrity()));
        return false;
    }
    auto request = requests_.take(*place);
    note_round_trip(request, now);
    const bool is_handled = message.cls() == stun::Class::kSuccess ? handle_success(request, local, message, now)
                                                                   : handle_error(request, message, now);
    if (!is_handled) {
        log_.warn("Ignoring response that lacks an attribute");
        requests_.put_back(*place, std::move(request));
    }
    return is_handled;
}

bool Allocation::handle_success(const Request& request, const net::SocketAddress& local, const stun::Message& message,
                                Instant now) {
    return std::visit(overloaded{
                          [&](const BindingRequest&) { return handle_binding_success(request, local, message, now); },
                          [&](const AllocateRequest&) { return handle_allocate_success(message, now); },
                          [&](const RefreshRequest&) { return handle_refresh_success(message, now); },
                          [&](const ChannelBindRequest& bind) {
                              channels_.confirm(bind.channel, now);
                              has_warned_of_refused_bind_ = false;
                              return true;
                          },
                      },
                      request.kind);
}

bool Allocation::handle_binding_success(const Request& request, const net::SocketAddress& local,
                                        const stun::Message& message, Instant now) {
    const auto mapped = message.address(AttributeType::kXorMappedAddress);
    if (!mapped || local.family() != request.destination.family()) {
        return false;
    }
    const auto before = candidates_.server_reflexive(local.family());
    const bool is_in_use = request.destination == active_socket_;
    const bool may_be_lost = is_in_use && (is_verifying_ || (before && *before != *mapped));
    is_verifying_ = is_verifying_ && !is_in_use;
    candidates_.add_mapping(local, *mapped);
    if (const auto addresses = std::exchange(new_addresses_, std::nullopt)) {
        candidates_.keep_only(*addresses);
    }
    if (!active_socket_) {
        active_socket_ = request.destination;
        log_.info("Relay answers", log::field("server", request.destination));
        if (has_allocation()) {
            send_to_active(RefreshRequest{}, now);
        } else {
            send_to_active(AllocateRequest{}, now);
        }
    } else if (!is_in_use) {
        spare_socket_ = is_verifying_ ? std::optional{request.destination} : std::nullopt;
        if (spare_socket_ && has_allocation() && !candidates_.has_host(active_socket_->family())) {
            move_to(*spare_socket_, now);
        }
    } else if (may_be_lost && has_allocation() && !requests_.contains<RefreshRequest>()) {
        // The allocation belongs to the address that the relay saw before (RFC 8656 section 6), so it is lost if that
        // is another now, unless the NAT changed its mind; and it may have ended while this host slept. The relay
        // knows; otherwise we would learn it minutes later.
        send_to_active(RefreshRequest{}, now);
    }
    return true;
}

bool Allocation::handle_allocate_success(const stun::Message& message, Instant now) {
    const auto seconds = message.u32(AttributeType::kLifetime);
    const auto relay_family = active_socket_.transform(&net::SocketAddress::family);
    if (!seconds || !candidates_.add_relayed(message.addresses(AttributeType::kXorRelayedAddress), relay_family)) {
        return false;
    }
    restart_lifetime(*seconds, now);
    retry_pause_ = kFirstAllocateRetry;
    has_warned_of_refusal_ = false;
    has_failed_over_ = false;
    due_.clear(Due::kRetry);
    mismatches_ = 0;
    due_.set(Due::kKeepAlive, now + kKeepAliveInterval);
    log_.info("Allocated on relay", log::field("lifetime", *seconds));
    for (const auto& peer : std::exchange(buffered_binds_, {})) {
        bind_channel(peer, now);
    }
    return true;
}

bool Allocation::handle_refresh_success(const stun::Message& message, Instant now) {
    const auto seconds = message.u32(AttributeType::kLifetime);
    if (!seconds) {
        return false;
    }
    if (*seconds == 0) {
        if (has_allocation()) {
            invalidate("deleted by relay");
        }
        send_to_active(AllocateRequest{}, now);
    } else if (has_allocation()) {
        restart_lifetime(*seconds, now);
        mismatches_ = 0;
    }
    return true;
}

bool Allocation::handle_error(const Request& request, const stun::Message& message, Instant now) {
    const auto error = message.error_code();
    if (!error) {
        return false;
    }
    const bool is_binding = std::holds_alternative<BindingRequest>(request.kind);
    if (!is_binding && (error->code == stun::kUnauthorized || error->code == stun::kStaleNonce)) {
        handle_unauthorized(request, message, *error, now);
    } else if (!is_binding && (error->code == stun::kAllocationMismatch || is_anothers(request, error->code))) {
        handle_mismatch(request, now);
    } else if (const auto* bind = std::get_if<ChannelBindRequest>(&request.kind)) {
        handle_refused_bind(*bind, *error, now);
    } else {
        log_.log(level_of_refusal(), "Relay refused a request",
                 log::field("method", static_cast<int>(message.method())), log::field("code", error->code),
                 log::field("reason", error->reason));
        if (error->code == stun::kUnknownAttribute) {
            has_protocol_failure_ = true;
        }
        handle_refusal(request, now);
    }
    return true;
}

void Allocation::handle_unauthorized(const Request& request, const stun::Message& message, stun::ErrorCode error,
                                     Instant now) {
    if (error.code == stun::kUnauthorized && request.had_nonce) {
        log_.warn("Relay refused our credentials");
        credentials_.reset();
        key_ = {};
        invalidate("authentication error");
        return;
    }
    const auto nonce = message.text(AttributeType::kNonce);
    const auto realm = message.text(AttributeType::kRealm);
    if (nonce) {
        nonce_ = *nonce;
    }
    if (!nonce || (realm && *realm != credentials_->realm) || request.challenges >= kMaxChallenges) {
        log_.log(level_of_refusal(),
                 "Giving up on request: relay wants another realm, gives no nonce or wants another one each time");
        handle_refusal(request, now);
        return;
    }
    log_.debug("Repeating request with the relay's nonce", log::field("code", error.code));
    send(request.kind, request.destination, now, kGiveUpAfter, request.challenges + 1);
}

/// Relay and client disagree on whether there is an allocation.
void Allocation::handle_mismatch(const Request& request, Instant now) {
    invalidate("allocation mismatch");
    if (++mismatches_ > kMaxMismatches) {
        log_.log(level_of_refusal(), "Relay and client do not agree on an allocation, waiting for a better moment");
        mismatches_ = 0;
        buffered_binds_.clear();
        retry_later(now);
        return;
    }
    std::visit(overloaded{
                   [](const BindingRequest&) {},
                   [&](const AllocateRequest&) { send_to_active(RefreshRequest{.deletes_allocation = true}, now); },
                   [&](const RefreshRequest&) { send_to_active(AllocateRequest{}, now); },
                   [&](const ChannelBindRequest& bind) {
                       send_to_active(AllocateRequest{}, now);
                       buffer_bind(bind.peer);
                   },
               },
               request.kind);
}

/// The request will not be repeated.
void Allocation::handle_refusal(const Request& request, Instant now) {
    std::visit(overloaded{
                   [](const BindingRequest&) {},
                   [&](const AllocateRequest&) {
                       buffered_binds_.clear();
                       retry_later(now);
                   },
                   [&](const RefreshRequest&) {
                       // Try again, but not at once for ever.
                       if (const auto expiry = due_.get(Due::kExpiry)) {
                           due_.set(Due::kRefresh, now + std::max(kShortestRefreshPause, (*expiry - now) / 2));
                       } else {
                           retry_later(now);
                       }
                   },
                   [&](const ChannelBindRequest& bind) { handle_refused_bind(bind, {}, now); },
               },
               request.kind);
}

void Allocation::handle_refused_bind(const ChannelBindRequest& bind, stun::ErrorCode error, Instant now) {
    channels_.forget(bind.channel);
    const bool is_forbidden = error.code == stun::kForbidden;
    refused_peers_.add(bind.peer, now + (is_forbidden ? Duration{kForbiddenPeerPause} : Duration{kRefusedPeerPause}));
    const auto level =
        is_forbidden || std::exchange(has_warned_of_refused_bind_, true) ? log::Level::kDebug : log::Level::kWarn;
    log_.log(level, "Channel was not bound", log::field("channel", bind.channel), log::field("code", error.code),
             log::field("reason", error.reason));
    log_.debug("Peer of the channel that was not bound", log::field("peer", bind.peer));
}

void Allocation::restart_lifetime(std::uint32_t seconds, Instant now) {
    const Duration duration = std::min(std::chrono::seconds{seconds}, kLongestLifetime);
    due_.set(Due::kExpiry, now + duration);
    due_.set(Due::kRefresh, now + duration / 2);
}

}  // namespace culvert::turn
