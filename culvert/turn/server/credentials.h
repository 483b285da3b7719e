#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/stun/integrity.h"

/// Credentials that portal and relay derive independently from the relay's stamp secret, so that the relay stores no
/// users (spec/relay.md sections 3.1 to 3.3).
namespace culvert::turn {

/// A new stamp secret: 32 random bytes as 64 lower-case hexadecimal digits. The text itself is the secret.
[[nodiscard]] std::string make_stamp_secret(Rng& rng);

/// `<expiry>:<salt>`. The salt is opaque.
struct RelayUsername {
    std::uint64_t expiry = 0;  ///< Unix seconds
    std::string_view salt;     ///< part of the parsed text

    /// nullopt unless there is exactly one colon, with an unsigned decimal 64-bit number in front of it.
    [[nodiscard]] static std::optional<RelayUsername> parse(std::string_view text);

    /// The canonical text: the expiry without leading zeros.
    [[nodiscard]] std::string to_string() const;

    /// Whether `now` is at most the first instant of the expiry second. Any 64-bit expiry is fine.
    [[nodiscard]] bool is_valid_at(WallTime now) const;
};

/// Base64 without padding of SHA-256("<expiry>:<stamp secret>:<salt>").
[[nodiscard]] std::string relay_password(const RelayUsername& username, std::string_view stamp_secret);

/// The key of MESSAGE-INTEGRITY for this user.
[[nodiscard]] stun::LongTermKey relay_key(const RelayUsername& username, std::string_view stamp_secret);

}  // namespace culvert::turn
