// Responses of the relay to our requests: spec/connectivity.md sections 5.3 and 5.4.
#include <algorithm>
#include <chrono>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/turn/allocation.h"

namespace culvert::turn {
namespace {

using stun::AttributeType;

constexpr log::Logger kLog{"turn"};

// Relays grant at most an hour; the limit keeps arithmetic with whatever one sends in range.
constexpr std::chrono::seconds kLongestLifetime = std::chrono::hours{24};
constexpr Duration kShortestRefreshPause = std::chrono::seconds{1};

/// Addresses that are of no use to a peer (spec/connectivity.md section 3.1).
bool can_be_candidate(const net::IpAddress& ip) {
    return !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !(ip.is_v4() && ip.is_link_local());
}

/// The relay has an allocation for our address that is somebody else's: a NAT gave us a port that another host behind
/// it had (RFC 8656 section 5). Ours is lost, and a new one is to be had. Not so if we meant to delete it: then asking
/// goes round in circles.
bool is_anothers(const Request& request, std::uint16_t code) {
    const auto* refresh = std::get_if<RefreshRequest>(&request.kind);
    return code == stun::kWrongCredentials && (std::holds_alternative<ChannelBindRequest>(request.kind) ||
                                               (refresh != nullptr && !refresh->deletes_allocation));
}

}  // namespace

bool Allocation::handle_input(const net::SocketAddress& local, const net::SocketAddress& from, ByteSpan datagram,
                              Instant now) {
    const auto message = stun::Message::parse(datagram);
    if (!message) {
        kLog.debug("Ignoring malformed datagram from relay", log::field("error", stun::to_string(message.error())));
        return false;
    }
    return handle_input(local, from, *message, now);
}

bool Allocation::handle_input(const net::SocketAddress& local, const net::SocketAddress& from,
                              const stun::Message& message, Instant now) {
    const auto found = std::ranges::find_if(requests_, [&](const Request& request) {
        return request.id == message.transaction_id() && request.destination == from &&
               method_of(request.kind) == message.method();
    });
    const bool is_success = message.cls() == stun::Class::kSuccess;
    if (found == requests_.end() || (!is_success && message.cls() != stun::Class::kError)) {
        kLog.debug("Ignoring message that answers no request", log::field("relay", from));
        return false;
    }
    if (!std::holds_alternative<BindingRequest>(found->kind) && !message.verify_integrity(key_.reveal())) {
        kLog.warn("Ignoring response without valid message integrity",
                  log::field("has_integrity", message.has_integrity()));
        return false;
    }
    const auto position = found - requests_.begin();
    auto request = std::move(*found);
    requests_.erase(found);
    const bool is_handled =
        is_success ? handle_success(request, local, message, now) : handle_error(request, message, now);
    if (!is_handled) {
        kLog.warn("Ignoring response that lacks an attribute");
        requests_.insert(requests_.begin() + position, std::move(request));
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
    auto& family = family_state(local.family());
    if (can_be_candidate(local.ip)) {
        replace_candidate(family.host, {.kind = CandidateKind::kHost, .address = local, .base = local});
    }
    const bool has_moved =
        request.destination == active_socket_ && family.server_reflexive && family.server_reflexive->address != *mapped;
    if (mapped->family() == local.family() && can_be_candidate(mapped->ip)) {
        replace_candidate(family.server_reflexive,
                          {.kind = CandidateKind::kServerReflexive, .address = *mapped, .base = local});
    }
    if (!active_socket_) {
        active_socket_ = request.destination;
        kLog.info("Relay answers", log::field("relay", request.destination));
        if (lifetime_) {
            send_to_active(RefreshRequest{}, now);
        } else {
            send_to_active(AllocateRequest{}, now);
        }
    } else if (has_moved && lifetime_ && !is_in_flight<RefreshRequest>()) {
        // The allocation belongs to the address that the relay saw before (RFC 8656 section 6), so it is lost, unless
        // the NAT changed its mind. The relay knows; otherwise we would learn it minutes later.
        send_to_active(RefreshRequest{}, now);
    }
    return true;
}

bool Allocation::handle_allocate_success(const stun::Message& message, Instant now) {
    const auto seconds = message.u32(AttributeType::kLifetime);
    auto addresses = message.addresses(AttributeType::kXorRelayedAddress);
    // What a hostile relay names here is where our peers send to.
    std::erase_if(addresses, [](const net::SocketAddress& address) {
        return !can_be_candidate(address.ip) || address.ip.is_loopback() || address.port == 0;
    });
    if (!seconds || addresses.empty()) {
        return false;
    }
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto first = std::ranges::find(addresses, family, &net::SocketAddress::family);
        if (first != addresses.end()) {
            replace_candidate(family_state(family).relayed,
                              {.kind = CandidateKind::kRelayed,
                               .address = *first,
                               .base = *first,
                               .is_cross_family = active_socket_ && active_socket_->family() != family});
        }
    }
    restart_lifetime(*seconds, now);
    mismatches_ = 0;
    keep_alive_at_ = now + kKeepAliveInterval;
    kLog.info("Allocated on relay", log::field("lifetime", *seconds));
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
        if (lifetime_) {
            invalidate("deleted by relay");
        }
        send_to_active(AllocateRequest{}, now);
    } else if (lifetime_) {
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
        kLog.warn("Relay refused a request", log::field("method", static_cast<int>(message.method())),
                  log::field("code", error->code), log::field("reason", error->reason));
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
        kLog.warn("Relay refused our credentials");
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
        kLog.warn("Giving up on request: relay wants another realm, gives no nonce or wants another one each time");
        handle_refusal(request, now);
        return;
    }
    kLog.debug("Repeating request with the relay's nonce", log::field("code", error.code));
    send(request.kind, request.destination, now, kGiveUpAfter, request.challenges + 1);
}

/// Relay and client disagree on whether there is an allocation.
void Allocation::handle_mismatch(const Request& request, Instant now) {
    invalidate("allocation mismatch");
    if (++mismatches_ > kMaxMismatches) {
        kLog.warn("Relay and client do not agree on an allocation, waiting for a better moment");
        mismatches_ = 0;
        buffered_binds_.clear();
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
                   [&](const AllocateRequest&) { buffered_binds_.clear(); },
                   [&](const RefreshRequest&) {
                       // Try again, but not at once for ever.
                       if (lifetime_ && lifetime_->refresh_at <= now) {
                           lifetime_->refresh_at =
                               now + std::max(kShortestRefreshPause, (lifetime_->expires_at - now) / 2);
                       }
                   },
                   [&](const ChannelBindRequest& bind) { handle_refused_bind(bind, {}, now); },
               },
               request.kind);
}

/// Without the list of refused peers every packet to one of them would be a request, for ever.
void Allocation::handle_refused_bind(const ChannelBindRequest& bind, stun::ErrorCode error, Instant now) {
    channels_.forget(bind.channel);
    const bool is_forbidden = error.code == stun::kForbidden;
    if (refused_peers_.size() >= kMaxRefusedPeers) {
        refused_peers_.erase(
            std::ranges::min_element(refused_peers_, {}, &std::map<net::SocketAddress, Instant>::value_type::second));
    }
    refused_peers_.insert_or_assign(bind.peer,
                                    now + (is_forbidden ? Duration{kForbiddenPeerPause} : Duration{kRefusedPeerPause}));
    const auto level =
        is_forbidden || std::exchange(has_warned_of_refused_bind_, true) ? log::Level::kDebug : log::Level::kWarn;
    kLog.log(level, "Channel was not bound", log::field("channel", bind.channel), log::field("code", error.code),
             log::field("reason", error.reason));
    kLog.debug("Peer of the channel that was not bound", log::field("peer", bind.peer));
}

void Allocation::replace_candidate(std::optional<Candidate>& slot, const Candidate& candidate) {
    if (slot == candidate) {
        return;
    }
    events_.emplace_back(NewCandidate{candidate});
    if (const auto old = std::exchange(slot, candidate)) {
        events_.emplace_back(InvalidCandidate{*old});
    }
}

void Allocation::restart_lifetime(std::uint32_t seconds, Instant now) {
    const Duration duration = std::min(std::chrono::seconds{seconds}, kLongestLifetime);
    lifetime_ = Lifetime{.refresh_at = now + duration / 2, .expires_at = now + duration};
}

}  // namespace culvert::turn
