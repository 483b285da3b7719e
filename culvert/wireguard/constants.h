#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

/// Times and limits of spec/connectivity.md section 7. Several differ from stock WireGuard on purpose.
namespace culvert::wireguard {

/// The initiator of the current session renews it this long after it was made, if it sent data on it.
inline constexpr Duration kRekeyAfterTime = std::chrono::seconds{120};
/// A session is deleted when it is this old.
inline constexpr Duration kRejectAfterTime = std::chrono::seconds{180};
/// The initiator of a session no longer sends on it from this age on, so that its last packets still find the peer's
/// half alive.
inline constexpr Duration kInitiatorStopsSending = std::chrono::seconds{170};
/// An unanswered initiation is repeated after this time.
inline constexpr Duration kRekeyTimeout = std::chrono::seconds{5};
/// Time from the first unanswered initiation to giving up for good. Stock WireGuard: 90 s.
inline constexpr Duration kRekeyAttemptTime = std::chrono::seconds{15};
/// An empty packet answers data this long after it arrived, if nothing else was sent.
inline constexpr Duration kKeepaliveTimeout = std::chrono::seconds{10};
/// The initiator of the current session renews it this long after it was made, if it received data.
inline constexpr Duration kRekeyAfterReceiving = kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
/// Sent data that got no packet of any kind in return for this long makes either role start a handshake.
inline constexpr Duration kUnansweredDataTimeout = kKeepaliveTimeout + kRekeyTimeout;
/// Without a new session for this long the tunnel is beyond repair.
inline constexpr Duration kTunnelLifetime = 3 * kRejectAfterTime;
/// An initiation that a timer asks for leaves after a uniformly random part of this, so that two peers whose timers
/// run in step do not initiate against each other.
inline constexpr Duration kMaxJitter = std::chrono::milliseconds{333};
/// A received cookie is good for this long (WireGuard paper 5.4.7).
inline constexpr Duration kCookieLifetime = std::chrono::seconds{120};
/// How often the secret behind the cookies we hand out changes.
inline constexpr Duration kCookieSecretLifetime = std::chrono::seconds{128};

static_assert(kRekeyTimeout < kRekeyAttemptTime, "an initiation is repeated before the tunnel gives up");
static_assert(kRekeyAfterTime < kInitiatorStopsSending && kRekeyAfterReceiving < kInitiatorStopsSending,
              "a session is renewed while it can still send");
static_assert(kRekeyAfterReceiving + kRekeyTimeout < kRejectAfterTime, "there is time for a second initiation");
static_assert(kInitiatorStopsSending < kRejectAfterTime, "last packets find the peer's half alive");
static_assert(kCookieLifetime < kCookieSecretLifetime, "a cookie is not used beyond its secret");

/// Handshake messages per window of one second, all connections of a node together, before cookies are asked for.
inline constexpr unsigned kHandshakesPerWindow = 100;

// Limits of WireGuard's own in Linux (ratelimiter.c, messages.h), which its paper leaves open.

/// Between two initiations that one peer gets answered.
inline constexpr Duration kInitiationInterval = std::chrono::milliseconds{20};
/// Under load, handshake messages with a valid cookie per source: 20 per second, 5 at once.
inline constexpr Duration kBudgetInterval = std::chrono::milliseconds{50};
inline constexpr int kBudgetBurst = 5;
/// Sources whose budgets are remembered. Linux remembers as many on a machine with 1 GB.
inline constexpr std::size_t kMaxSources = 8192;

// Ours to choose, for a data path of one thread.

/// Handshake messages with cookies within a second from which on each source gets one per second, not 20. A message
/// costs up to 0.2 ms.
inline constexpr unsigned kSourcesPerWindow = 500;
/// What of an IPv6 address one customer may have for himself: a /48 has 65,536 networks of 64 bits, each of which can
/// receive a cookie, and more than there are places for.
inline constexpr std::size_t kSourcePrefixBytesV6 = 6;
/// A source that sent nothing for so long is as good as a new one.
inline constexpr Duration kBudgetRest = std::chrono::seconds{1};
/// IP packets that wait for a session; further ones are dropped.
inline constexpr std::size_t kMaxQueuedPackets = 256;
/// Sessions kept per tunnel; slot = receiver index mod this.
inline constexpr std::size_t kMaxSessions = 8;
/// Packets that wait for poll_transmit(); further ones are dropped. Room for a flushed queue and its handshake.
inline constexpr std::size_t kMaxPendingTransmits = kMaxQueuedPackets + 64;
/// Counters from here on are never used nor accepted (WireGuard paper 6.1).
inline constexpr std::uint64_t kRejectAfterMessages = ~std::uint64_t{0} - (std::uint64_t{1} << 13);

/// What sealing adds to an IP packet: 16 bytes of header and 16 of tag.
inline constexpr std::size_t kDataOverhead = 32;

}  // namespace culvert::wireguard
