#include "culvert/turn/server/nonce_mint.h"

#include <algorithm>
#include <chrono>

#include "culvert/base/bytes.h"
#include "culvert/crypto/hmac.h"
#include "culvert/crypto/secret.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {
namespace {

using std::chrono::milliseconds;

std::uint64_t to_milliseconds(Instant at) {
    return static_cast<std::uint64_t>(std::chrono::floor<milliseconds>(at.time_since_epoch()).count());
}

}  // namespace

NonceMint::NonceMint(Rng& rng) : key_{rng.array<32>()}, shift_{load_be<std::uint64_t>(rng.array<8>())} {}

std::optional<Uuid> NonceMint::parse(std::string_view text) {
    constexpr std::string_view kUrn = "urn:uuid:";
    if (text.starts_with(kUrn)) {
        text.remove_prefix(kUrn.size());
    } else if (text.starts_with('{') && text.ends_with('}')) {
        text = text.substr(1, text.size() - 2);
    }
    if (text.size() != 32) {
        return Uuid::parse(text);
    }
    const auto bytes = from_hex(text);
    if (!bytes) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> value;
    std::ranges::transform(*bytes, value.begin(), [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return Uuid{value};
}

Uuid NonceMint::issue(const net::SocketAddress& client, Instant now) const {
    return seal((to_milliseconds(now) + shift_) & kTimeMask, client);
}

std::optional<Instant> NonceMint::issued_at(const Uuid& nonce, const net::SocketAddress& client, Instant now) const {
    std::uint64_t time = 0;
    for (std::size_t i = 0; i < kTimeSize; ++i) {
        time = time << 8 | nonce.bytes()[i];
    }
    const auto age = (to_milliseconds(now) + shift_ - time) & kTimeMask;
    if (age > static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(kNonceLifetime).count())) {
        return std::nullopt;
    }
    if (!crypto::equal_constant_time(std::as_bytes(std::span{seal(time, client).bytes()}),
                                     std::as_bytes(std::span{nonce.bytes()}))) {
        return std::nullopt;
    }
    return std::chrono::floor<milliseconds>(now) - milliseconds{static_cast<std::int64_t>(age)};
}

Uuid NonceMint::seal(std::uint64_t time, const net::SocketAddress& client) const {
    std::array<std::uint8_t, 16> value;
    for (std::size_t i = 0; i < kTimeSize; ++i) {
        value[i] = static_cast<std::uint8_t>(time >> (8 * (kTimeSize - 1 - i)));
    }
    std::array<std::byte, 2> port;
    store_be(port, client.port);
    const auto tag =
        crypto::hmac_sha256(key_, {std::as_bytes(std::span{value}.first(kTimeSize)), client.ip.bytes(), port});
    for (std::size_t i = kTimeSize; i < value.size(); ++i) {
        value[i] = std::to_integer<std::uint8_t>(tag[i - kTimeSize]);
    }
    return Uuid{value};
}

}  // namespace culvert::turn
