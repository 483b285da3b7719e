#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/wireguard/tunnel_test_pair.h"

namespace culvert::wireguard {
namespace {

using namespace testing_support;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

/// One genuine packet of each kind, as R would receive it, next to the pair it comes from.
struct Genuine {
    TunnelPair pair;
    Bytes initiation;
    Bytes response;  // for I
    Bytes data;

    Genuine() {
        pair.i.tunnel.initiate_handshake(pair.now);
        initiation = pair.i.tunnel.poll_transmit().value();
        pair.receive(pair.r, pair.i.address, initiation);
        response = pair.r.tunnel.poll_transmit().value();
    }

    void complete() {
        pair.receive(pair.i, pair.r.address, response);
        pair.exchange();
        const auto packet = make_ip_packet(64);
        data.resize(packet.size() + kDataOverhead);
        ASSERT_TRUE(pair.i.tunnel.seal(packet, data, pair.now));
    }

    void expect_alive() {
        pair.r.received.clear();
        pair.i.received.clear();
        pair.send(pair.i);
        pair.send(pair.r);
        EXPECT_EQ(pair.r.received.size(), 1U);
        EXPECT_EQ(pair.i.received.size(), 1U);
    }
};

TEST(Message, IsKnownByTypeAndExactSize) {
    const auto message = [](std::uint32_t type, std::size_t size) {
        Bytes bytes(size);
        store_le(MutableByteSpan{bytes}, type);
        return bytes;
    };
    EXPECT_EQ(classify(message(1, 148)), PacketKind::kInitiation);
    EXPECT_EQ(classify(message(2, 92)), PacketKind::kResponse);
    EXPECT_EQ(classify(message(3, 64)), PacketKind::kCookieReply);
    EXPECT_EQ(classify(message(4, 32)), PacketKind::kData);
    EXPECT_EQ(classify(message(4, 1500)), PacketKind::kData);
    for (const auto& [type, size] : {std::pair{1U, 147U},
                                     {1U, 149U},
                                     {2U, 91U},
                                     {2U, 93U},
                                     {3U, 63U},
                                     {3U, 65U},
                                     {4U, 31U},
                                     {0U, 64U},
                                     {5U, 64U},
                                     {0x101U, 148U},
                                     {0x04000000U, 64U}}) {
        EXPECT_FALSE(classify(message(type, size))) << type << " of " << size;
    }
    EXPECT_FALSE(classify({}));
    EXPECT_FALSE(classify(Bytes(3)));
}

TEST(BadInput, NoFlippedBitOfAnInitiationIsAccepted) {
    TunnelPair pair;
    pair.i.tunnel.initiate_handshake(pair.now);
    const auto initiation = pair.i.tunnel.poll_transmit().value();

    // MAC2 is not looked at while there is no load.
    for (std::size_t bit = 0; bit < 8 * (initiation.size() - 16); ++bit) {
        auto forged = initiation;
        forged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        pair.receive(pair.r, pair.i.address, forged);
    }
    EXPECT_FALSE(pair.r.tunnel.poll_transmit());
    EXPECT_EQ(pair.r.errors.size(), 8 * (initiation.size() - 16));
    pair.receive(pair.r, pair.i.address, initiation);

    EXPECT_TRUE(pair.r.tunnel.poll_transmit());
}

TEST(BadInput, NoFlippedBitOfAResponseIsAccepted) {
    Genuine genuine;
    for (std::size_t bit = 0; bit < 8 * (genuine.response.size() - 16); ++bit) {
        auto forged = genuine.response;
        forged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        genuine.pair.receive(genuine.pair.i, genuine.pair.r.address, forged);
    }
    EXPECT_FALSE(genuine.pair.i.tunnel.has_usable_session(genuine.pair.now));

    genuine.complete();
    genuine.expect_alive();
}

TEST(BadInput, NoFlippedBitOfADataPacketIsAccepted) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;
    for (std::size_t bit = 0; bit < 8 * genuine.data.size(); ++bit) {
        auto forged = genuine.data;
        forged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        pair.receive(pair.r, pair.i.address, forged);
    }
    EXPECT_THAT(pair.r.received, IsEmpty());
    pair.receive(pair.r, pair.i.address, genuine.data);

    EXPECT_EQ(pair.r.received.size(), 1U);
    genuine.expect_alive();
}

TEST(BadInput, NoTruncationOrExtensionIsAccepted) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;
    for (const auto* message : {&genuine.initiation, &genuine.response, &genuine.data}) {
        for (std::size_t size = 0; size < message->size(); ++size) {
            pair.receive(pair.r, pair.i.address, to_bytes(ByteSpan{*message}.first(size)));
        }
        for (const std::size_t more : {1U, 16U, 1000U, 60000U}) {
            auto longer = *message;
            longer.resize(longer.size() + more);
            pair.receive(pair.r, pair.i.address, longer);
        }
    }

    EXPECT_THAT(pair.r.received, IsEmpty());
    genuine.expect_alive();
}

TEST(BadInput, ReplaysAreRefused) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;
    pair.receive(pair.r, pair.i.address, genuine.data);
    ASSERT_EQ(pair.r.received.size(), 1U);

    pair.receive(pair.r, pair.i.address, genuine.data);
    pair.now += kInitiationInterval;
    pair.receive(pair.r, pair.i.address, genuine.initiation);
    pair.receive(pair.i, pair.r.address, genuine.response);

    EXPECT_EQ(pair.r.received.size(), 1U);
    EXPECT_THAT(pair.r.errors, ElementsAre(Error::kReplayed, Error::kOldTimestamp));
    EXPECT_THAT(pair.i.errors, ElementsAre(Error::kUnknownIndex));
    EXPECT_FALSE(pair.r.tunnel.poll_transmit());
    genuine.expect_alive();
}

TEST(BadInput, PacketsReflectedToTheirSenderAreRefused) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;

    pair.receive(pair.i, pair.r.address, genuine.data);
    pair.receive(pair.i, pair.r.address, genuine.initiation);
    pair.receive(pair.r, pair.i.address, genuine.response);

    EXPECT_THAT(pair.i.errors, ElementsAre(Error::kUnknownIndex, Error::kBadMac));
    EXPECT_THAT(pair.r.errors, ElementsAre(Error::kBadMac));
    genuine.expect_alive();
}

TEST(BadInput, CountersAtTheEndOfTheirRangeAreRefused) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;
    for (const auto counter : {kRejectAfterMessages, ~std::uint64_t{0}}) {
        auto packet = genuine.data;
        store_le(MutableByteSpan{packet}.subspan(kDataCounter), counter);
        pair.receive(pair.r, pair.i.address, packet);
    }

    EXPECT_THAT(pair.r.errors, Each(Error::kReplayed));
    genuine.expect_alive();
}

TEST(BadInput, AnotherPeersInitiationIsRefused) {
    TunnelPair pair;
    auto rng = Rng::from_number(5);
    Tunnel stranger{crypto::KeyPair::generate(rng), pair.r.key_pair.public_key(), {}, 1, rng, kStart, kWallStart};
    stranger.initiate_handshake(pair.now);

    pair.receive(pair.r, pair.i.address, stranger.poll_transmit().value());

    EXPECT_THAT(pair.r.errors, ElementsAre(Error::kWrongPeer));
    EXPECT_FALSE(pair.r.tunnel.poll_transmit());
}

TEST(BadInput, RandomBytesLeaveTheSessionWorking) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;
    auto rng = Rng::from_number(11);
    for (int n = 0; n < 20'000; ++n) {
        Bytes noise(rng.below(200));
        rng.fill(noise);
        if (noise.size() >= 8 && rng.below(2) == 0) {
            store_le(MutableByteSpan{noise}, static_cast<std::uint32_t>(rng.below(6)));
            store_le(MutableByteSpan{noise}.subspan(4), 0x22222200U + static_cast<std::uint32_t>(rng.below(3)));
        }
        pair.receive(pair.r, pair.i.address, noise);
    }

    EXPECT_THAT(pair.r.received, IsEmpty());
    genuine.expect_alive();
}

/// An initiation of I's, made by a device that has I's key. A new one each time.
Bytes another_initiation(TunnelPair& pair) {
    Tunnel twin{pair.i.key_pair, pair.i.other, pair.i.preshared, 0x333333, Rng::from_number(3), kStart, kWallStart};
    twin.initiate_handshake(pair.now);
    return twin.poll_transmit().value();
}

TEST(Flood, APeerIsAnsweredFiftyTimesPerSecond) {
    TunnelPair pair;
    for (int ms = 0; ms < 1000; ++ms) {
        pair.now += 1ms;
        auto initiation = another_initiation(pair);
        const auto handled = pair.r.tunnel.handle_packet(initiation, pair.now);
        EXPECT_TRUE(handled || handled.error() == Error::kTooManyHandshakes);
    }
    int answers = 0;
    while (pair.r.tunnel.poll_transmit()) {
        ++answers;
    }
    EXPECT_EQ(answers, 50);
}

TEST(Flood, WhoNamesAPeersKeyTakesNoHandshakeFromIt) {
    TunnelPair pair;
    auto forged = another_initiation(pair);
    forged[kInitiationTimestamp] ^= std::byte{1};
    ASSERT_EQ(open_initiation(pair.r.key_pair, forged).value().claimed_peer, pair.i.key_pair.public_key());
    ASSERT_EQ(pair.r.tunnel.handle_packet(forged, pair.now).error(), Error::kBadTag);

    pair.establish();

    EXPECT_TRUE(pair.i.tunnel.has_usable_session(pair.now));
}

TEST(Flood, ARecordedInitiationTakesNoHandshakeFromItsPeer) {
    TunnelPair pair;
    auto recorded = another_initiation(pair);
    auto again = recorded;
    ASSERT_TRUE(pair.r.tunnel.handle_packet(recorded, pair.now));
    pair.now += kInitiationInterval;
    ASSERT_EQ(pair.r.tunnel.handle_packet(again, pair.now).error(), Error::kOldTimestamp);

    pair.establish();

    EXPECT_TRUE(pair.i.tunnel.has_usable_session(pair.now));
}

TEST(Flood, HandshakesThatNobodyCompletesLeaveTheSessionInUse) {
    Genuine genuine;
    genuine.complete();
    auto& pair = genuine.pair;
    pair.send(pair.i);
    pair.send(pair.r);
    for (std::size_t n = 0; n < 5 * kMaxSessions; ++n) {
        pair.now += kInitiationInterval;
        auto initiation = another_initiation(pair);
        ASSERT_TRUE(pair.r.tunnel.handle_packet(initiation, pair.now));
        while (pair.r.tunnel.poll_transmit()) {
        }
        ASSERT_TRUE(pair.r.tunnel.has_usable_session(pair.now)) << "after " << n + 1;
    }
    genuine.expect_alive();
}

}  // namespace
}  // namespace culvert::wireguard
