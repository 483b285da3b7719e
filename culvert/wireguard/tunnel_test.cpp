#include "culvert/wireguard/tunnel.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/wireguard/tunnel_test_pair.h"

namespace culvert::wireguard {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Tunnel, AHandshakeTakesThreePackets) {
    TunnelPair pair;

    pair.establish();

    ASSERT_THAT(pair.sent, SizeIs(3));
    EXPECT_EQ(pair.sent[0].kind, PacketKind::kInitiation);
    EXPECT_EQ(pair.sent[1].kind, PacketKind::kResponse);
    EXPECT_EQ(pair.sent[2].kind, PacketKind::kData);
    EXPECT_EQ(pair.sent[2].size, 32U);
    EXPECT_THAT(pair.i.errors, IsEmpty());
    EXPECT_THAT(pair.r.errors, IsEmpty());
    EXPECT_FALSE(pair.i.tunnel.handshake_in_progress());
    EXPECT_EQ(pair.i.tunnel.last_handshake_at(), kStart);
    EXPECT_EQ(pair.r.tunnel.last_handshake_at(), kStart);
}

TEST(Tunnel, CarriesPacketsBothWaysWithoutPadding) {
    TunnelPair pair;
    pair.establish();
    const auto up = make_ip_packet(61, 1);
    const auto down = make_ip_packet(1280, 2);

    pair.send(pair.i, up);
    pair.send(pair.r, down);

    EXPECT_THAT(pair.r.received, ElementsAre(up));
    EXPECT_THAT(pair.i.received, ElementsAre(down));
    EXPECT_EQ(pair.sent[3].size, up.size() + 32);
    EXPECT_EQ(pair.sent[4].size, down.size() + 32);
}

TEST(Tunnel, SealsInPlace) {
    TunnelPair pair;
    pair.establish();
    const auto packet = make_ip_packet(1280);
    Bytes buffer(packet.size() + kDataOverhead);
    std::ranges::copy(packet, buffer.begin() + kDataHeaderSize);

    ASSERT_TRUE(pair.i.tunnel.seal(ByteSpan{buffer}.subspan(kDataHeaderSize, packet.size()), buffer, pair.now));
    pair.deliver(pair.i, pair.r, buffer);

    EXPECT_THAT(pair.r.received, ElementsAre(packet));
}

TEST(Tunnel, CutsPaddingOff) {
    TunnelPair pair;
    pair.establish();
    const auto packet = make_ip_packet(61);
    auto padded = packet;
    padded.resize(64);

    pair.send(pair.i, padded);

    EXPECT_THAT(pair.r.received, ElementsAre(packet));
}

TEST(Tunnel, RefusesInnerPacketsThatAreNotWhole) {
    TunnelPair pair;
    pair.establish();
    auto too_long = make_ip_packet(60);
    store_be(MutableByteSpan{too_long}.subspan(2), std::uint16_t{61});
    auto too_short = make_ip_packet(60);
    store_be(MutableByteSpan{too_short}.subspan(2), std::uint16_t{19});
    auto other_version = make_ip_packet(60);
    other_version[0] = std::byte{0x55};
    auto ipv6 = Bytes(39, std::byte{0});
    ipv6[0] = std::byte{0x60};

    for (const auto& packet : {too_long, too_short, other_version, ipv6, Bytes(1, std::byte{0x45})}) {
        pair.send(pair.i, packet);
    }

    EXPECT_THAT(pair.r.received, IsEmpty());
    EXPECT_THAT(pair.r.errors, ElementsAre(Error::kBadInnerPacket, Error::kBadInnerPacket, Error::kBadInnerPacket,
                                           Error::kBadInnerPacket, Error::kBadInnerPacket));
}

TEST(Tunnel, AcceptsIpv6) {
    TunnelPair pair;
    pair.establish();
    Bytes packet(48);
    packet[0] = std::byte{0x60};
    store_be(MutableByteSpan{packet}.subspan(4), std::uint16_t{8});

    pair.send(pair.i, packet);

    EXPECT_THAT(pair.r.received, ElementsAre(packet));
}

// spec/connectivity.md section 2.7.
TEST(Tunnel, EveryHandshakeMessageTakesTheNextIndex) {
    TunnelPair pair;
    std::vector<std::uint32_t> indices;

    pair.i.tunnel.initiate_handshake(pair.now);
    const auto initiation = pair.i.tunnel.poll_transmit().value();
    indices.push_back(sender_index(initiation));
    pair.receive(pair.r, pair.i.address, initiation);
    const auto response = pair.r.tunnel.poll_transmit().value();
    indices.push_back(sender_index(response));
    EXPECT_EQ(receiver_index(response), sender_index(initiation));
    pair.jump_to(5s);
    pair.i.tunnel.handle_timeout(pair.now);
    pair.jump_to(6s);
    pair.i.tunnel.handle_timeout(pair.now);
    indices.push_back(sender_index(pair.i.tunnel.poll_transmit().value()));

    EXPECT_THAT(indices, ElementsAre(0x11111101, 0x22222201, 0x11111102));
}

TEST(Tunnel, InitiationNamesItsSenderToItsReceiverOnly) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    auto initiation = pair.i.tunnel.poll_transmit().value();

    EXPECT_EQ(open_initiation(pair.r.key_pair, initiation).value().claimed_peer, pair.i.key_pair.public_key());
    EXPECT_EQ(open_initiation(pair.i.key_pair, initiation).error(), Error::kBadTag);
    initiation[50] ^= std::byte{1};
    EXPECT_EQ(open_initiation(pair.r.key_pair, initiation).error(), Error::kBadTag);
}

TEST(Tunnel, PacketsWithoutSessionWaitForTheHandshake) {
    TunnelPair pair;

    pair.i.tunnel.queue(make_ip_packet(40, 1), pair.now);
    pair.i.tunnel.queue(make_ip_packet(50, 2), pair.now);
    EXPECT_TRUE(pair.i.tunnel.handshake_in_progress());
    pair.exchange();

    EXPECT_EQ(pair.count(pair.i, PacketKind::kInitiation), 1U);
    EXPECT_THAT(pair.r.received, ElementsAre(make_ip_packet(40, 1), make_ip_packet(50, 2)));
    // The keep-alive goes first.
    EXPECT_EQ(pair.sent[2].size, 32U);
}

TEST(Tunnel, TheQueueDropsItsNewest) {
    TunnelPair pair;
    for (std::uint64_t n = 0; n < kMaxQueuedPackets + 10; ++n) {
        pair.i.tunnel.queue(make_ip_packet(40, n), pair.now);
    }

    pair.exchange();

    ASSERT_THAT(pair.r.received, SizeIs(kMaxQueuedPackets));
    for (std::uint64_t n = 0; n < kMaxQueuedPackets; ++n) {
        ASSERT_EQ(pair.r.received[n], make_ip_packet(40, n));
    }
}

TEST(Tunnel, TheRespondersQueueLeavesWithTheFirstPacketItReceives) {
    TunnelPair pair;
    pair.loses = [&](const Peer& from, PacketKind) { return &from == &pair.r; };
    pair.send(pair.r, make_ip_packet(40, 7));
    pair.loses = [](const Peer&, PacketKind) { return false; };

    pair.establish();

    EXPECT_THAT(pair.i.received, ElementsAre(make_ip_packet(40, 7)));
}

TEST(Tunnel, QueueingWithASessionSendsAtOnce) {
    TunnelPair pair;
    pair.establish();

    pair.i.tunnel.queue(make_ip_packet(), pair.now);
    pair.exchange();

    EXPECT_THAT(pair.r.received, SizeIs(1));
}

TEST(Tunnel, ALateResponseToThePreviousInitiationCounts) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.receive(pair.r, pair.i.address, pair.i.tunnel.poll_transmit().value());
    const auto late_response = pair.r.tunnel.poll_transmit().value();
    pair.jump_to(5s);
    pair.i.tunnel.handle_timeout(pair.now);
    pair.jump_to(5400ms);
    pair.i.tunnel.handle_timeout(pair.now);
    ASSERT_TRUE(pair.i.tunnel.poll_transmit());  // the second initiation, which gets lost

    pair.receive(pair.i, pair.r.address, late_response);

    EXPECT_THAT(pair.i.errors, IsEmpty());
    EXPECT_FALSE(pair.i.tunnel.handshake_in_progress());
    pair.exchange();
    pair.send(pair.i);
    EXPECT_THAT(pair.r.received, SizeIs(1));
}

TEST(Tunnel, SimultaneousInitiationsBothComplete) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.r.tunnel.initiate_handshake(pair.now);

    pair.exchange();
    pair.send(pair.i);
    pair.send(pair.r);

    EXPECT_THAT(pair.i.errors, IsEmpty());
    EXPECT_THAT(pair.r.errors, IsEmpty());
    EXPECT_THAT(pair.i.received, SizeIs(1));
    EXPECT_THAT(pair.r.received, SizeIs(1));
    EXPECT_FALSE(pair.i.tunnel.handshake_in_progress());
    EXPECT_FALSE(pair.r.tunnel.handshake_in_progress());
}

TEST(Tunnel, ASessionThePeerStartedEndsOurOwnAttempt) {
    TunnelPair pair;
    pair.loses = [&](const Peer& from, PacketKind kind) { return &from == &pair.r && kind == PacketKind::kInitiation; };
    pair.r.tunnel.initiate_handshake(pair.now);
    pair.exchange();
    ASSERT_TRUE(pair.r.tunnel.handshake_in_progress());

    pair.establish();

    EXPECT_FALSE(pair.r.tunnel.handshake_in_progress());
    pair.run_until(30s);
    EXPECT_FALSE(pair.r.tunnel.is_expired());
    EXPECT_EQ(pair.count(pair.r, PacketKind::kInitiation), 1U);
}

TEST(Tunnel, OlderSessionsStillOpenPackets) {
    TunnelPair pair;
    pair.establish();
    const auto packet = make_ip_packet();
    std::vector<Bytes> delayed;
    for (int n = 0; n < 6; ++n) {
        delayed.emplace_back(packet.size() + kDataOverhead);
        ASSERT_TRUE(pair.i.tunnel.seal(packet, delayed.back(), pair.now));
        pair.now += 1s;
        pair.establish();
    }

    for (const auto& datagram : delayed) {
        pair.receive(pair.r, pair.i.address, datagram);
    }

    EXPECT_THAT(pair.r.received, SizeIs(6));
    EXPECT_THAT(pair.r.errors, IsEmpty());
}

TEST(Tunnel, ANinthSessionReplacesTheFirst) {
    TunnelPair pair;
    pair.establish();
    const auto packet = make_ip_packet();
    Bytes delayed(packet.size() + kDataOverhead);
    ASSERT_TRUE(pair.i.tunnel.seal(packet, delayed, pair.now));
    for (int n = 0; n < 8; ++n) {
        pair.now += 1s;
        pair.establish();
    }

    pair.receive(pair.r, pair.i.address, delayed);

    EXPECT_THAT(pair.r.received, IsEmpty());
    EXPECT_THAT(pair.r.errors, ElementsAre(Error::kUnknownIndex));
}

TEST(Tunnel, InitiationsInOneInstantCarryIncreasingTimestamps) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    auto first = pair.i.tunnel.poll_transmit().value();
    pair.receive(pair.r, pair.i.address, first);
    pair.receive(pair.i, pair.r.address, pair.r.tunnel.poll_transmit().value());
    (void)pair.i.tunnel.poll_transmit();
    pair.i.tunnel.initiate_handshake(pair.now);
    pair.now += kInitiationInterval;
    pair.exchange();

    EXPECT_EQ(pair.count(pair.r, PacketKind::kResponse), 1U);
    EXPECT_THAT(pair.r.errors, IsEmpty());
}

TEST(Tunnel, APeerKeyOfLowOrderIsExpiredFromTheStart) {
    auto rng = Rng::from_number(1);
    Tunnel tunnel{crypto::KeyPair::generate(rng), crypto::PublicKey{}, {}, 1, rng, kStart, kWallStart};

    tunnel.initiate_handshake(kStart);

    EXPECT_TRUE(tunnel.is_expired());
    EXPECT_FALSE(tunnel.poll_transmit());
    EXPECT_FALSE(tunnel.poll_timeout());
}

TEST(Tunnel, DifferentPresharedKeysNeverEstablish) {
    TunnelPair pair;
    auto rng = Rng::from_number(99);
    Tunnel stranger{
        pair.i.key_pair, pair.r.key_pair.public_key(), crypto::PresharedKey{rng.array<32>()}, 0x333333, rng, kStart,
        kWallStart};
    stranger.initiate_handshake(kStart);

    pair.receive(pair.r, pair.i.address, stranger.poll_transmit().value());
    auto response = pair.r.tunnel.poll_transmit().value();

    EXPECT_EQ(stranger.handle_packet(response, kStart), std::unexpected{Error::kBadTag});
    EXPECT_FALSE(stranger.has_usable_session(kStart));
}

TEST(Tunnel, SurvivesBeingMoved) {
    TunnelPair pair;
    pair.establish();

    auto moved = std::move(pair.i.tunnel);
    const auto packet = make_ip_packet();
    Bytes datagram(packet.size() + kDataOverhead);
    ASSERT_TRUE(moved.seal(packet, datagram, pair.now));
    pair.receive(pair.r, pair.i.address, datagram);

    EXPECT_THAT(pair.r.received, ElementsAre(packet));
}

}  // namespace
}  // namespace culvert::wireguard
