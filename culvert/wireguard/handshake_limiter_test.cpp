#include "culvert/wireguard/handshake_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/tunnel_test_pair.h"

namespace culvert::wireguard {
namespace {

using namespace testing_support;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

/// Uses up the window of R with initiations of I.
void exhaust(TunnelPair& pair) {
    for (unsigned n = 0; n < kHandshakesPerWindow; ++n) {
        pair.now += 1ms;
        // A new tunnel of the same peer each time: one tunnel would wait for the answer.
        Tunnel tunnel{pair.i.key_pair, pair.r.key_pair.public_key(), {}, n, Rng::from_number(n), kStart, kWallStart};
        tunnel.initiate_handshake(pair.now);
        ASSERT_EQ(pair.r.limiter.check(tunnel.poll_transmit().value(), pair.i.address, pair.now),
                  HandshakeLimiter::Verdict::kProcess);
    }
}

TEST(HandshakeLimiter, W8UnderLoadACookieIsDemandedAndAccepted) {
    TunnelPair pair;
    exhaust(pair);

    pair.i.tunnel.initiate_handshake(pair.now);
    pair.exchange();

    EXPECT_EQ(pair.count(pair.r, PacketKind::kCookieReply), 1U);
    EXPECT_EQ(pair.count(pair.r, PacketKind::kResponse), 0U);
    EXPECT_THAT(pair.r.errors, ElementsAre(Error::kUnderLoad));
    EXPECT_THAT(pair.i.errors, IsEmpty());

    pair.run_until(pair.since_start() + 6s);  // the repetition carries MAC2

    EXPECT_EQ(pair.count(pair.r, PacketKind::kResponse), 1U);
    EXPECT_TRUE(pair.r.tunnel.has_usable_session(pair.now));
}

TEST(HandshakeLimiter, AdmitsWhatIsNoHandshakeUnderAnyLoad) {
    TunnelPair pair;
    exhaust(pair);
    Bytes data(kMinDataSize);
    data[0] = std::byte{4};
    Bytes cookie_reply(kCookieReplySize);
    cookie_reply[0] = std::byte{3};

    EXPECT_TRUE(pair.r.limiter.admit(data, pair.i.address, pair.now));
    EXPECT_TRUE(pair.r.limiter.admit(cookie_reply, pair.i.address, pair.now));
    EXPECT_TRUE(pair.r.limiter.admit(Bytes(3), pair.i.address, pair.now));
}

TEST(HandshakeLimiter, ResponsesNeedACookieToo) {
    TunnelPair pair;
    exhaust(pair);  // R is under load, so it demands a cookie from I's response

    pair.r.tunnel.initiate_handshake(pair.now);
    pair.exchange();

    EXPECT_EQ(pair.count(pair.r, PacketKind::kCookieReply), 1U);
    pair.run_until(pair.since_start() + 6s);
    EXPECT_TRUE(pair.r.tunnel.has_usable_session(pair.now));
}

TEST(HandshakeLimiter, ANewWindowNeedsNoCookie) {
    TunnelPair pair;
    exhaust(pair);

    pair.r.limiter.clear_window(pair.now);
    pair.establish();

    EXPECT_EQ(pair.count(pair.r, PacketKind::kResponse), 1U);
}

TEST(HandshakeLimiter, ACookieIsBoundToTheSendersAddress) {
    TunnelPair pair;
    exhaust(pair);
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.exchange();
    ASSERT_EQ(pair.count(pair.r, PacketKind::kCookieReply), 1U);

    pair.i.address = net::IpAddress{std::array<std::uint8_t, 4>{198, 51, 100, 9}};
    pair.run_until(pair.since_start() + 6s);

    EXPECT_EQ(pair.count(pair.r, PacketKind::kCookieReply), 2U);
    EXPECT_EQ(pair.count(pair.r, PacketKind::kResponse), 0U);
}

TEST(HandshakeLimiter, ACookieDiesWithItsSecret) {
    TunnelPair pair;
    exhaust(pair);
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.exchange();
    ASSERT_EQ(pair.count(pair.r, PacketKind::kCookieReply), 1U);
    pair.now += 5s;
    pair.i.tunnel.handle_timeout(pair.now);
    pair.now += 1s;
    pair.i.tunnel.handle_timeout(pair.now);
    const auto with_mac2 = pair.i.tunnel.poll_transmit().value();

    EXPECT_EQ(pair.r.limiter.check(with_mac2, pair.i.address, pair.now), HandshakeLimiter::Verdict::kProcess);
    pair.now += kCookieSecretLifetime;
    EXPECT_EQ(pair.r.limiter.check(with_mac2, pair.i.address, pair.now), HandshakeLimiter::Verdict::kDemandCookie);
}

TEST(HandshakeLimiter, AReceivedCookieIsForgottenAfterTwoMinutes) {
    TunnelPair pair;
    exhaust(pair);
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.exchange();
    const auto with_cookie_at = pair.now + kCookieLifetime - kInitiationInterval;
    const auto without_cookie_at = pair.now + kCookieLifetime;
    const Bytes no_mac2(16);

    // Answers to initiations are handshake messages as well, and need no attempt of 15 s.
    const auto answer_of_i = [&](Instant at) {
        Tunnel peer{pair.r.key_pair, pair.i.key_pair.public_key(), {}, 5, Rng::from_number(5), kStart, kWallStart};
        peer.initiate_handshake(at);
        pair.now = at;
        pair.receive(pair.i, pair.r.address, peer.poll_transmit().value());
        return pair.i.tunnel.poll_transmit().value();
    };

    EXPECT_FALSE(equal(mac2_of(answer_of_i(with_cookie_at)), no_mac2));
    EXPECT_TRUE(equal(mac2_of(answer_of_i(without_cookie_at)), no_mac2));
}

TEST(HandshakeLimiter, MessagesForAnotherKeyAreNotCounted) {
    TunnelPair pair;
    pair.r.tunnel.initiate_handshake(pair.now);
    const auto for_i = pair.r.tunnel.poll_transmit().value();

    for (unsigned n = 0; n < 2 * kHandshakesPerWindow; ++n) {
        ASSERT_EQ(pair.r.limiter.check(for_i, pair.i.address, pair.now), HandshakeLimiter::Verdict::kBadMac);
    }
    pair.establish();

    EXPECT_EQ(pair.count(pair.r, PacketKind::kResponse), 1U);
}

TEST(HandshakeLimiter, CookieRepliesToOthersAreRefused) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    const auto initiation = pair.i.tunnel.poll_transmit().value();
    auto reply = pair.r.limiter.make_cookie_reply(initiation, pair.i.address, pair.now);
    auto wrong_index = reply;
    wrong_index[4] ^= std::byte{1};
    auto forged = reply;
    forged.back() ^= std::byte{1};

    pair.receive(pair.i, pair.r.address, wrong_index);
    pair.receive(pair.i, pair.r.address, forged);
    EXPECT_THAT(pair.i.errors, ElementsAre(Error::kBadTag, Error::kBadTag));
    pair.receive(pair.i, pair.r.address, reply);
    EXPECT_EQ(pair.i.errors.size(), 2U);
}

/// Handshake messages with a cookie, as many as somebody likes to make.
class CookieHolder {
public:
    CookieHolder(TunnelPair& pair, const net::IpAddress& address)
        : pair_{pair}, address_{address}, macs_{pair.r.key_pair.public_key()} {
        const auto reply = pair.r.limiter.make_cookie_reply(next(), address, pair.now);
        EXPECT_TRUE(macs_.accept_cookie_reply(reply, pair.now));
    }

    HandshakeLimiter::Verdict send(HandshakeBudget* budget = nullptr) {
        return pair_.r.limiter.check(next(), address_, pair_.now, budget);
    }

    /// How many of `count` messages at the same time are let through.
    unsigned burst(unsigned count, HandshakeBudget* budget = nullptr) {
        unsigned passed = 0;
        for (unsigned i = 0; i < count; ++i) {
            const auto verdict = send(budget);
            EXPECT_TRUE(verdict == HandshakeLimiter::Verdict::kProcess ||
                        verdict == HandshakeLimiter::Verdict::kRefuse);
            passed += verdict == HandshakeLimiter::Verdict::kProcess ? 1U : 0U;
        }
        return passed;
    }

private:
    Bytes next() {
        Bytes message(kInitiationSize);
        store_le(MutableByteSpan{message}, static_cast<std::uint32_t>(PacketKind::kInitiation));
        store_le(MutableByteSpan{message}.subspan(4), ++count_);
        macs_.write(message, pair_.now);
        return message;
    }

    TunnelPair& pair_;
    net::IpAddress address_;
    MacWriter macs_;
    std::uint32_t count_ = 0;
};

TEST(HandshakeLimiter, ACookieBuysTwentyHandshakesPerSecond) {
    TunnelPair pair;
    exhaust(pair);
    CookieHolder flooder{pair, pair.i.address};

    EXPECT_EQ(flooder.burst(1000), 5U);
    pair.now += 100ms;
    EXPECT_EQ(flooder.burst(1000), 2U);
}

TEST(HandshakeLimiter, AFloodLeavesOtherAddressesTheirs) {
    TunnelPair pair;
    exhaust(pair);
    CookieHolder flooder{pair, pair.i.address};
    CookieHolder other{pair, net::IpAddress{std::array<std::uint8_t, 4>{198, 51, 100, 9}}};

    (void)flooder.burst(1000);
    EXPECT_EQ(other.burst(5), 5U);
}

TEST(HandshakeLimiter, APathInUseHasABudgetOfItsOwn) {
    TunnelPair pair;
    exhaust(pair);
    HandshakeBudget of_path;
    CookieHolder flooder{pair, pair.i.address};
    CookieHolder behind_the_same_nat{pair, pair.i.address};

    (void)flooder.burst(1000);
    EXPECT_EQ(behind_the_same_nat.burst(1000, &of_path), 5U);
}

TEST(HandshakeLimiter, MessagesWithoutCookieUseUpNoBudget) {
    TunnelPair pair;
    exhaust(pair);
    HandshakeBudget of_path;
    Bytes message(kInitiationSize);
    store_le(MutableByteSpan{message}, static_cast<std::uint32_t>(PacketKind::kInitiation));
    MacWriter{pair.r.key_pair.public_key()}.write(message, pair.now);
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(pair.r.limiter.check(message, pair.i.address, pair.now, &of_path),
                  HandshakeLimiter::Verdict::kDemandCookie);
    }
    CookieHolder owner{pair, pair.i.address};
    EXPECT_EQ(owner.burst(5, &of_path), 5U);
    EXPECT_EQ(owner.burst(5), 5U);
}

TEST(HandshakeLimiter, RefusesWithoutAnAnswer) {
    TunnelPair pair;
    exhaust(pair);
    CookieHolder flooder{pair, pair.i.address};
    (void)flooder.burst(5);
    EXPECT_EQ(flooder.send(), HandshakeLimiter::Verdict::kRefuse);
    // An answer to each would be a second flood, and the sender has its cookie already.
    Bytes message(kInitiationSize);
    store_le(MutableByteSpan{message}, static_cast<std::uint32_t>(PacketKind::kInitiation));
    MacWriter macs{pair.r.key_pair.public_key()};
    macs.write(message, pair.now);
    ASSERT_TRUE(
        macs.accept_cookie_reply(pair.r.limiter.make_cookie_reply(message, pair.i.address, pair.now), pair.now));
    macs.write(message, pair.now);
    const auto admitted = pair.r.limiter.admit(message, pair.i.address, pair.now);
    ASSERT_FALSE(admitted);
    EXPECT_EQ(admitted.error().error, Error::kTooManyHandshakes);
    EXPECT_FALSE(admitted.error().cookie_reply);
}

}  // namespace
}  // namespace culvert::wireguard
