#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/crypto/secret.h"
#include "culvert/net/ip_address.h"
#include "culvert/wireguard/error.h"
#include "culvert/wireguard/handshake_budget.h"
#include "culvert/wireguard/source_limiter.h"

namespace culvert::wireguard {

/// Guards a node against floods of handshakes: checks MAC1, counts, and asks for cookies when there are too many
/// (spec/connectivity.md section 7.4, WireGuard paper 5.4.7). One per node.
///
/// A cookie proves that somebody receives at the address he sends from. Whoever shows one has a budget of his own:
/// that of the connection whose path is in use, or else that of the address. So a flood takes no handshake from peers
/// that have a path, not even from those behind the flooder's address.
///
/// The owner calls clear_window() once per second; nothing clears the count otherwise.
class HandshakeLimiter {
public:
    HandshakeLimiter(const crypto::PublicKey& local, Rng rng, Instant now);

    /// Why a handshake message must go no further: kBadMac, kUnderLoad or kTooManyHandshakes.
    struct Refusal {
        Error error;
        /// With kUnderLoad; for the address the message came from.
        std::optional<Bytes> cookie_reply;
    };
    /// check() with the answer to give. To be asked before anything costlier than a MAC is spent on a datagram, public
    /// keys above all. Datagrams that are no initiation or response pass uncounted.
    [[nodiscard]] std::expected<void, Refusal> admit(ByteSpan datagram, const net::IpAddress& from, Instant now,
                                                     HandshakeBudget* budget = nullptr);

    enum class Verdict : std::uint8_t { kProcess, kBadMac, kDemandCookie, kRefuse };

    /// Judges an initiation or a response and counts it. `from` is the sender's address (for relayed traffic: the
    /// peer's, not the relay's). `budget` is that of the connection whose path in use the message came on, null if
    /// there is none.
    [[nodiscard]] Verdict check(ByteSpan handshake_message, const net::IpAddress& from, Instant now,
                                HandshakeBudget* budget = nullptr);

    /// The answer to a message with verdict kDemandCookie.
    [[nodiscard]] Bytes make_cookie_reply(ByteSpan handshake_message, const net::IpAddress& from, Instant now);

    /// Starts a new window of counting.
    void clear_window(Instant now);

private:
    using Cookie = std::array<std::byte, 16>;

    [[nodiscard]] Cookie cookie_for(const net::IpAddress& from, Instant now);
    void renew_secret(Instant now);

    std::array<std::byte, 32> mac1_key_;
    crypto::Secret<32> cookie_key_;
    Rng rng_;
    crypto::Secret<32> cookie_secret_;
    Instant secret_changed_at_;
    unsigned handshakes_ = 0;
    SourceLimiter sources_;
};

}  // namespace culvert::wireguard
