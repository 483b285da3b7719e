#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/socket_address.h"

namespace culvert::turn {

/// Makes nonces that know to whom and when they were given (RFC 8489 section 9.2), so that none has to be remembered:
/// strangers can have as many as they like without pushing out anybody's, and nobody can use another one's.
///
/// In the form of a UUID, as peers expect (spec/relay.md section 3.4): 48 bits of time in milliseconds, shifted by a
/// secret amount, and 80 bits of HMAC-SHA256 over that time and the client's address and port.
class NonceMint {
public:
    explicit NonceMint(Rng& rng);

    /// The value of a NONCE in any usual textual form of a UUID (hyphenated, 32 digits, braces, URN).
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

    [[nodiscard]] Uuid issue(const net::SocketAddress& client, Instant now) const;

    /// When this nonce was issued to this client, in whole milliseconds. nullopt if that was never, or longer ago than
    /// kNonceLifetime.
    [[nodiscard]] std::optional<Instant> issued_at(const Uuid& nonce, const net::SocketAddress& client,
                                                   Instant now) const;

private:
    static constexpr std::size_t kTimeSize = 6;
    static constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << (8 * kTimeSize)) - 1;

    [[nodiscard]] Uuid seal(std::uint64_t time, const net::SocketAddress& client) const;

    std::array<std::byte, 32> key_;
    std::uint64_t shift_;  ///< hides how long the host has been running
};

}  // namespace culvert::turn
