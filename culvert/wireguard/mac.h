#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/crypto/secret.h"

/// MAC1, MAC2 and cookies (WireGuard paper 5.4.4 and 5.4.7).
namespace culvert::wireguard {

using Mac = std::array<std::byte, 16>;

/// Key of MAC1 in messages to whoever owns `receiver`.
[[nodiscard]] std::array<std::byte, 32> mac1_key(const crypto::PublicKey& receiver);
/// Key that encrypts the cookies handed out by whoever owns `receiver`.
[[nodiscard]] crypto::Secret<32> cookie_key(const crypto::PublicKey& receiver);

[[nodiscard]] Mac compute_mac1(ByteSpan key, ByteSpan handshake_message);
[[nodiscard]] Mac compute_mac2(ByteSpan cookie, ByteSpan handshake_message);

/// The MACs at the end of an initiation or a response.
[[nodiscard]] ByteSpan mac1_of(ByteSpan handshake_message);
[[nodiscard]] ByteSpan mac2_of(ByteSpan handshake_message);

/// Completes the handshake messages to one peer with both MACs, and understands the cookies it sends back.
class MacWriter {
public:
    explicit MacWriter(const crypto::PublicKey& peer);

    /// Fills in MAC1, and MAC2 if the peer gave us a cookie that is still good.
    void write(MutableByteSpan handshake_message, Instant now);

    /// False if `reply` does not answer the last message written or fails authentication.
    [[nodiscard]] bool accept_cookie_reply(ByteSpan reply, Instant now);

private:
    struct Cookie {
        crypto::Secret<16> value;
        Instant received_at;
    };
    struct LastMessage {
        std::uint32_t index;
        Mac mac1;
    };

    std::array<std::byte, 32> mac1_key_;
    crypto::Secret<32> cookie_key_;
    std::optional<Cookie> cookie_;
    std::optional<LastMessage> last_;
};

}  // namespace culvert::wireguard
