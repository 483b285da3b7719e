#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "culvert/base/rate_limiter.h"
#include "culvert/base/turns.h"
#include "culvert/net/ip_network.h"

namespace culvert::portal_server {

/// What strangers may do before they have shown a token, for each place they come from: an IPv4 address, or an IPv6
/// /48, of which one customer has as many addresses as he wants.
///
/// An office behind one address comes back all at once when the portal was away; the rates leave room for that.
class ConnectionLimiter {
public:
    /// A connection was accepted. False: one too many of its place; closed() is not to be called then.
    [[nodiscard]] bool opened(const net::IpAddress& peer, Instant now);
    void closed(const net::IpAddress& peer);

    /// How long to wait before the next try; nullopt: not at all. Each is told another time, as many as there may be.
    using Wait = std::optional<std::chrono::seconds>;
    /// `shows_token`: one that this portal signed. Strangers share their place with devices, behind a NAT or in a
    /// cloud's /48, and must not use it up for them.
    [[nodiscard]] Wait upgrade(const net::IpAddress& client, bool shows_token, Instant now);
    /// Somebody tries this token from this address now. Which token it is follows from a part of its hash, so that none
    /// is kept here.
    [[nodiscard]] Wait log_in(const net::IpAddress& client, std::string_view token, const Rate& rate, Instant now);
    /// Whether the answer to a wrong token may go out at once.
    [[nodiscard]] bool may_answer_wrong_token(const net::IpAddress& client, Instant now);

    [[nodiscard]] std::size_t size() const { return places_.size(); }
    [[nodiscard]] std::size_t login_count() const { return logins_.size(); }

private:
    struct Place {
        std::size_t waiting = 0;
        RateLimiter upgrades;
        RateLimiter signed_upgrades;
        RateLimiter wrong_tokens;
        Turns turns;
    };
    struct Login {
        RateLimiter tries;
        Turns turns;
    };

    Place& place_of(const net::IpAddress& address, Instant now);

    std::map<net::IpAddress, Place> places_;
    std::size_t next_clean_up_ = 1024;
    using TokenMark = std::array<std::byte, 8>;
    std::map<std::pair<net::IpAddress, TokenMark>, Login> logins_;
    std::size_t next_login_clean_up_ = 1024;
};

}  // namespace culvert::portal_server
