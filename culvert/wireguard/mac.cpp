#include "culvert/wireguard/mac.h"

#include <algorithm>
#include <utility>

#include "culvert/crypto/aead.h"
#include "culvert/crypto/hash.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/message.h"

namespace culvert::wireguard {
namespace {

constexpr std::size_t kMacSize = std::tuple_size_v<Mac>;

}  // namespace

std::array<std::byte, 32> mac1_key(const crypto::PublicKey& receiver) {
    return crypto::blake2s({as_bytes("mac1----"), receiver.bytes});
}

crypto::Secret<32> cookie_key(const crypto::PublicKey& receiver) {
    return crypto::Secret<32>{crypto::blake2s({as_bytes("cookie--"), receiver.bytes})};
}

Mac compute_mac1(ByteSpan key, ByteSpan handshake_message) {
    return crypto::blake2s_keyed<kMacSize>(key, {handshake_message.first(handshake_message.size() - 2 * kMacSize)});
}

Mac compute_mac2(ByteSpan cookie, ByteSpan handshake_message) {
    return crypto::blake2s_keyed<kMacSize>(cookie, {handshake_message.first(handshake_message.size() - kMacSize)});
}

ByteSpan mac1_of(ByteSpan handshake_message) {
    return handshake_message.last(2 * kMacSize).first(kMacSize);
}

ByteSpan mac2_of(ByteSpan handshake_message) {
    return handshake_message.last(kMacSize);
}

MacWriter::MacWriter(const crypto::PublicKey& peer)
    : mac1_key_{wireguard::mac1_key(peer)}, cookie_key_{wireguard::cookie_key(peer)} {}

void MacWriter::write(MutableByteSpan handshake_message, Instant now) {
    const auto mac1 = compute_mac1(mac1_key_, handshake_message);
    std::ranges::copy(mac1, handshake_message.last(2 * kMacSize).begin());
    last_ = LastMessage{sender_index(handshake_message), mac1};

    if (cookie_ && now - cookie_->received_at >= kCookieLifetime) {
        cookie_.reset();
    }
    if (cookie_) {
        const auto mac2 = compute_mac2(std::as_const(cookie_->value).reveal(), handshake_message);
        std::ranges::copy(mac2, handshake_message.last(kMacSize).begin());
    }
}

bool MacWriter::accept_cookie_reply(ByteSpan reply, Instant now) {
    if (!last_ || receiver_index(reply) != last_->index) {
        return false;
    }
    crypto::XNonce nonce;
    std::ranges::copy(reply.subspan(kCookieNonce, nonce.size()), nonce.begin());
    Cookie cookie{{}, now};
    if (!crypto::xaead_open(cookie_key_, nonce, reply.subspan(kCookieSealed), last_->mac1, cookie.value.reveal())) {
        return false;
    }
    cookie_ = cookie;
    return true;
}

}  // namespace culvert::wireguard
