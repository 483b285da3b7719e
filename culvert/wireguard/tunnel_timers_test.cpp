#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/wireguard/tunnel_test_pair.h"

// The timelines of spec/connectivity.md section 13.4, and the rules of 7.2 that they leave out.

namespace culvert::wireguard {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

// Timers are looked at every 10 ms, so that much may be added to an instant.
constexpr Duration kStep = 10ms;

auto between(Duration from, Duration to) {
    return AllOf(Ge(from), Le(to + kStep));
}
bool lose_all(const Peer&, PacketKind) {
    return true;
}
bool lose_none(const Peer&, PacketKind) {
    return false;
}

TEST(TunnelTimers, W1UnansweredInitiationsAreRepeatedUntilTheTunnelExpires) {
    TunnelPair pair;
    pair.loses = lose_all;

    pair.i.tunnel.initiate_handshake(pair.now);
    pair.run_until(14990ms);

    EXPECT_THAT(pair.times(pair.i, PacketKind::kInitiation),
                ElementsAre(Duration{0}, between(5s, 5333ms), between(10s, 10666ms + kStep)));
    EXPECT_FALSE(pair.i.tunnel.is_expired());
    pair.run_until(15s);
    EXPECT_TRUE(pair.i.tunnel.is_expired());
    EXPECT_FALSE(pair.i.tunnel.poll_timeout());
}

TEST(TunnelTimers, W2TheInitiatorRenewsASessionItSentDataOn) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    pair.send(pair.i);

    pair.run_until(120s - kStep);
    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation), 1U);
    pair.run_until(125s);

    EXPECT_THAT(pair.times(pair.i, PacketKind::kInitiation, 1s), ElementsAre(between(120s, 120333ms)));
    EXPECT_THAT(pair.times(pair.r, PacketKind::kInitiation), IsEmpty());
}

TEST(TunnelTimers, W2HoldsWhenTimersAreOnlyDrivenOnceASecond) {
    TunnelPair pair;
    pair.establish();
    pair.now += 1s;
    pair.send(pair.i);
    for (auto at = 2s; at <= 125s; at += 1s) {
        pair.jump_to(at);
        pair.i.tunnel.handle_timeout(pair.now);
        pair.r.tunnel.handle_timeout(pair.now);
        pair.exchange();
    }

    EXPECT_THAT(pair.times(pair.i, PacketKind::kInitiation, 1s), ElementsAre(between(120s, 121333ms)));
    EXPECT_THAT(pair.times(pair.r, PacketKind::kInitiation), IsEmpty());
}

TEST(TunnelTimers, W3AnOldSessionIsOnlyForTheResponderToSendOn) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(169900ms);
    EXPECT_TRUE(pair.i.tunnel.has_usable_session(pair.now));
    pair.run_until(171s);
    EXPECT_FALSE(pair.i.tunnel.has_usable_session(pair.now));

    pair.send(pair.r);
    EXPECT_THAT(pair.i.received, SizeIs(1));
    pair.loses = lose_all;
    pair.send(pair.i);

    EXPECT_THAT(pair.sent.back(), testing::Field(&Sent::kind, PacketKind::kInitiation));
    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation, 171s), 1U);
    EXPECT_EQ(pair.count(pair.i, PacketKind::kData, 171s), 0U);
}

// Nobody looks at the timers in between, or the session would be renewed at 120 s.
TEST(TunnelTimers, W4ASessionThatExpiredIsRenewedByItsInitiatorAlone) {
    TunnelPair pair;
    pair.establish();
    pair.now += 1s;
    pair.send(pair.i);
    pair.send(pair.r);
    pair.loses = lose_all;
    pair.jump_to(180001ms);

    pair.run_until(182s);

    EXPECT_FALSE(pair.i.tunnel.has_usable_session(pair.now));
    EXPECT_FALSE(pair.r.tunnel.has_usable_session(pair.now));
    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation, 2s), 1U);
    EXPECT_EQ(pair.count(pair.r, PacketKind::kInitiation), 0U);
}

TEST(TunnelTimers, AnIdleInitiatorRenewsTheSessionWhenItExpires) {
    TunnelPair pair;
    pair.establish();

    pair.run_until(600s);

    EXPECT_THAT(
        pair.times(pair.i, PacketKind::kInitiation, 1s),
        ElementsAre(between(180s, 180333ms), between(360s, 360666ms + kStep), between(540s, 540999ms + 2 * kStep)));
    EXPECT_EQ(pair.count(pair.r, PacketKind::kInitiation), 0U);
    EXPECT_FALSE(pair.i.tunnel.is_expired());
    EXPECT_FALSE(pair.r.tunnel.is_expired());
    // Nothing but the handshakes and the keep-alives that complete them.
    EXPECT_EQ(pair.sent.size(), 4U * 3U);
}

TEST(TunnelTimers, W5DataWithoutAnyReplyStartsAHandshake) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    pair.send(pair.i);
    pair.send(pair.r);
    pair.run_until(2s);
    pair.loses = lose_all;
    for (auto at = 11s; at <= 25s; at += 1s) {
        pair.run_until(at);
        pair.send(pair.i);
    }

    pair.run_until(26s - kStep);
    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation, 1s), 0U);
    pair.run_until(27s);

    EXPECT_THAT(pair.times(pair.i, PacketKind::kInitiation, 1s), ElementsAre(between(26s, 26333ms)));
}

TEST(TunnelTimers, W5AppliesToTheResponderAsWell) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    pair.loses = lose_all;
    pair.send(pair.r);

    pair.run_until(17s);

    EXPECT_THAT(pair.times(pair.r, PacketKind::kInitiation), ElementsAre(between(16s, 16333ms)));
}

TEST(TunnelTimers, AnyPacketInReturnStopsTheWaitForAReply) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    pair.send(pair.i);

    pair.run_until(100s);  // R's keep-alive at 11 was the reply

    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation), 1U);
    EXPECT_EQ(pair.count(pair.r, PacketKind::kInitiation), 0U);
}

TEST(TunnelTimers, W6DataThatGetsNoAnswerIsAnsweredByAKeepalive) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(2s);
    pair.send(pair.i);

    pair.run_until(100s);

    EXPECT_THAT(pair.times(pair.r, PacketKind::kData), ElementsAre(between(12s, 12s)));
    EXPECT_THAT(pair.times(pair.i, PacketKind::kData, 3s), IsEmpty());
}

TEST(TunnelTimers, AKeepaliveIsDueTenSecondsAfterTheFirstOfManyPackets) {
    TunnelPair pair;
    pair.establish();
    for (auto at = 2s; at <= 20s; at += 1s) {
        pair.run_until(at);
        pair.send(pair.i);
    }
    pair.run_until(30s);

    // The packet of 13 s is the first that the keep-alive of 12 s did not answer.
    EXPECT_THAT(pair.times(pair.r, PacketKind::kData), ElementsAre(between(12s, 12s), between(22s, 23s)));
}

TEST(TunnelTimers, DataInReturnMakesAKeepaliveNeedless) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(2s);
    pair.send(pair.i);
    pair.run_until(5s);
    pair.send(pair.r);

    pair.run_until(14s);

    EXPECT_THAT(pair.times(pair.r, PacketKind::kData), ElementsAre(between(5s, 5s)));
}

TEST(TunnelTimers, W7TheResponderSendsOnlyAfterItHeardFromTheInitiator) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.receive(pair.r, pair.i.address, pair.i.tunnel.poll_transmit().value());
    EXPECT_FALSE(pair.r.tunnel.has_usable_session(pair.now));

    pair.exchange();

    EXPECT_TRUE(pair.r.tunnel.has_usable_session(pair.now));
}

TEST(TunnelTimers, ReceivedDataMakesTheInitiatorRenewAt165) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    // I answers with keep-alives only, which are not data.
    pair.send(pair.r);

    pair.run_until(170s);

    EXPECT_THAT(pair.times(pair.i, PacketKind::kInitiation, 1s), ElementsAre(between(165s, 165333ms)));
    EXPECT_EQ(pair.count(pair.r, PacketKind::kInitiation), 0U);
}

TEST(TunnelTimers, DataSentAfter120RenewsAtOnce) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(130s);
    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation), 1U);

    pair.send(pair.i);
    pair.run_until(131s);

    EXPECT_THAT(pair.times(pair.i, PacketKind::kInitiation, 1s), ElementsAre(between(130s, 130333ms)));
}

TEST(TunnelTimers, TheOldSessionCarriesDataWhileItsRenewalRuns) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    pair.send(pair.i);
    pair.loses = [](const Peer&, PacketKind kind) { return kind == PacketKind::kInitiation; };
    pair.run_until(122s);
    ASSERT_TRUE(pair.i.tunnel.handshake_in_progress());
    pair.r.received.clear();

    pair.send(pair.i);

    EXPECT_THAT(pair.r.received, SizeIs(1));
}

TEST(TunnelTimers, AFailedRenewalExpiresTheTunnelThoughTheOldSessionLives) {
    TunnelPair pair;
    pair.establish();
    pair.run_until(1s);
    pair.send(pair.i);
    pair.run_until(20s);
    pair.loses = lose_all;

    pair.run_until(134900ms);
    EXPECT_FALSE(pair.i.tunnel.is_expired());
    pair.run_until(135500ms);

    EXPECT_TRUE(pair.i.tunnel.is_expired());
    EXPECT_FALSE(pair.i.tunnel.has_usable_session(pair.now));
}

TEST(TunnelTimers, AResponderWithoutNewSessionExpiresAfter540) {
    TunnelPair pair;
    pair.establish();
    pair.loses = lose_all;

    pair.run_until(539990ms);
    EXPECT_FALSE(pair.r.tunnel.is_expired());
    EXPECT_EQ(pair.count(pair.r, PacketKind::kInitiation), 0U);
    pair.run_until(540s);

    EXPECT_TRUE(pair.r.tunnel.is_expired());
    EXPECT_TRUE(pair.i.tunnel.is_expired());
}

TEST(TunnelTimers, AnExpiredTunnelNeitherSendsNorAccepts) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    const auto initiation = pair.i.tunnel.poll_transmit().value();
    pair.receive(pair.r, pair.i.address, initiation);
    const auto response = pair.r.tunnel.poll_transmit().value();
    pair.jump_to(15s);
    pair.i.tunnel.handle_timeout(pair.now);
    ASSERT_TRUE(pair.i.tunnel.is_expired());

    pair.receive(pair.i, pair.r.address, response);
    pair.i.tunnel.queue(make_ip_packet(), pair.now);
    pair.i.tunnel.initiate_handshake(pair.now);

    EXPECT_THAT(pair.i.errors, ElementsAre(Error::kExpired));
    EXPECT_FALSE(pair.i.tunnel.poll_transmit());
}

TEST(TunnelTimers, TheAttemptTimeStartsAnewWithEachAttempt) {
    TunnelPair pair;
    pair.loses = lose_all;
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.run_until(12s);
    pair.loses = lose_none;
    pair.run_until(14s);  // nothing due before 15
    ASSERT_FALSE(pair.i.tunnel.is_expired());
    ASSERT_TRUE(pair.i.tunnel.handshake_in_progress());

    TunnelPair other;
    other.loses = lose_all;
    other.i.tunnel.initiate_handshake(other.now);
    other.run_until(6s);
    other.loses = lose_none;
    other.run_until(11s);
    ASSERT_FALSE(other.i.tunnel.handshake_in_progress());
    other.loses = lose_all;
    other.i.tunnel.initiate_handshake(other.now);
    other.run_until(25900ms);
    EXPECT_FALSE(other.i.tunnel.is_expired());
    other.run_until(26100ms);
    EXPECT_TRUE(other.i.tunnel.is_expired());
}

TEST(TunnelTimers, InitiatingDuringAHandshakeDoesNothing) {
    TunnelPair pair;
    pair.loses = lose_all;
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.run_until(1s);
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.i.tunnel.queue(make_ip_packet(), pair.now);
    pair.exchange();

    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation), 1U);
}

}  // namespace
}  // namespace culvert::wireguard
