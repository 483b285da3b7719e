#include "culvert/turn/server/credentials.h"

#include <charconv>

#include "culvert/base/base64.h"
#include "culvert/crypto/hash.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {

std::string make_stamp_secret(Rng& rng) {
    return to_hex(rng.array<32>());
}

std::optional<RelayUsername> RelayUsername::parse(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || text.find(':', colon + 1) != std::string_view::npos) {
        return std::nullopt;
    }
    std::uint64_t expiry = 0;
    const auto* const end = text.data() + colon;
    const auto [parsed_to, error] = std::from_chars(text.data(), end, expiry);
    if (error != std::errc{} || parsed_to != end) {
        return std::nullopt;
    }
    return RelayUsername{expiry, text.substr(colon + 1)};
}

std::string RelayUsername::to_string() const {
    auto text = std::to_string(expiry);
    text += ':';
    text += salt;
    return text;
}

bool RelayUsername::is_valid_at(WallTime now) const {
    const auto second = std::chrono::ceil<std::chrono::seconds>(now.time_since_epoch()).count();
    return second <= 0 || expiry >= static_cast<std::uint64_t>(second);
}

std::string relay_password(const RelayUsername& username, std::string_view stamp_secret) {
    auto input = std::to_string(username.expiry);
    input += ':';
    input += stamp_secret;
    input += ':';
    input += username.salt;
    return to_base64(crypto::sha256(as_bytes(input)), Base64::kStandardNoPadding);
}

stun::LongTermKey relay_key(const RelayUsername& username, std::string_view stamp_secret) {
    return stun::long_term_key(username.to_string(), kRelayRealm, relay_password(username, stamp_secret));
}

}  // namespace culvert::turn
