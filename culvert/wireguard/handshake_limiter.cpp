#include "culvert/wireguard/handshake_limiter.h"

#include <algorithm>
#include <utility>

#include "culvert/crypto/aead.h"
#include "culvert/crypto/hash.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/message.h"

namespace culvert::wireguard {

HandshakeLimiter::HandshakeLimiter(const crypto::PublicKey& local, Rng rng, Instant now)
    : mac1_key_{wireguard::mac1_key(local)},
      cookie_key_{wireguard::cookie_key(local)},
      rng_{rng},
      cookie_secret_{crypto::Secret<32>::random(rng_)},
      secret_changed_at_{now},
      sources_{rng.child("sources")} {}

std::expected<void, HandshakeLimiter::Refusal> HandshakeLimiter::admit(ByteSpan datagram, const net::IpAddress& from,
                                                                       Instant now, HandshakeBudget* budget) {
    const auto kind = classify(datagram);
    if (kind != PacketKind::kInitiation && kind != PacketKind::kResponse) {
        return {};
    }
    switch (check(datagram, from, now, budget)) {
        case Verdict::kProcess:
            break;
        case Verdict::kBadMac:
            return std::unexpected{Refusal{Error::kBadMac, std::nullopt}};
        case Verdict::kDemandCookie:
            return std::unexpected{Refusal{Error::kUnderLoad, make_cookie_reply(datagram, from, now)}};
        case Verdict::kRefuse:
            return std::unexpected{Refusal{Error::kTooManyHandshakes, std::nullopt}};
    }
    return {};
}

HandshakeLimiter::Verdict HandshakeLimiter::check(ByteSpan handshake_message, const net::IpAddress& from, Instant now,
                                                  HandshakeBudget* budget) {
    if (!crypto::equal_constant_time(compute_mac1(mac1_key_, handshake_message), mac1_of(handshake_message))) {
        return Verdict::kBadMac;
    }
    if (handshakes_ < kHandshakesPerWindow) {
        ++handshakes_;
        return Verdict::kProcess;
    }
    const auto mac2 = compute_mac2(cookie_for(from, now), handshake_message);
    if (!crypto::equal_constant_time(mac2, mac2_of(handshake_message))) {
        return Verdict::kDemandCookie;
    }
    const bool has_budget = budget != nullptr ? budget->take(now) : sources_.admit(from, now);
    return has_budget ? Verdict::kProcess : Verdict::kRefuse;
}

Bytes HandshakeLimiter::make_cookie_reply(ByteSpan handshake_message, const net::IpAddress& from, Instant now) {
    Bytes reply(kCookieReplySize);
    const MutableByteSpan out{reply};
    store_le(out, static_cast<std::uint32_t>(PacketKind::kCookieReply));
    store_le(out.subspan(4), sender_index(handshake_message));
    const auto nonce = rng_.array<24>();
    std::ranges::copy(nonce, out.subspan(kCookieNonce).begin());
    crypto::xaead_seal(cookie_key_, nonce, cookie_for(from, now), mac1_of(handshake_message),
                       out.subspan(kCookieSealed));
    return reply;
}

void HandshakeLimiter::clear_window(Instant now) {
    handshakes_ = 0;
    sources_.start_window();
    renew_secret(now);
}

HandshakeLimiter::Cookie HandshakeLimiter::cookie_for(const net::IpAddress& from, Instant now) {
    renew_secret(now);
    return crypto::blake2s_keyed<16>(std::as_const(cookie_secret_).reveal(), {from.bytes()});
}

void HandshakeLimiter::renew_secret(Instant now) {
    if (now - secret_changed_at_ >= kCookieSecretLifetime) {
        cookie_secret_ = crypto::Secret<32>::random(rng_);
        secret_changed_at_ = now;
    }
}

}  // namespace culvert::wireguard
