#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/connectivity/testing/virtual_network.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/segmenter.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/tunnel.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;

class Direct : public ::testing::Test {
protected:
    void SetUp() override {
        network.settle();
        start = network.now;
    }

    void connect() {
        network.connect(client, gateway);
        network.run_for(2s);
        ASSERT_EQ(client.count<ConnectionEstablished>(), 1U);
        ASSERT_EQ(gateway.count<ConnectionEstablished>(), 1U);
    }

    /// What `host` sent directly to the other one at `after` past the start.
    [[nodiscard]] std::vector<Wire> sent_at(const Host& host, Duration after) const {
        const auto& peer = &host == &client ? gateway : client;
        std::vector<Wire> kinds;
        for (const auto& [at, datagram] : host.sent) {
            if (at == start + after && peer.owns(datagram.to.ip)) {
                kinds.push_back(wire_kind(datagram.payload));
            }
        }
        return kinds;
    }

    Network network;
    Host& client = network.add_host(Role::kClient, "192.0.2.1", "2001:db8:1::1");
    Host& gateway = network.add_host(Role::kGateway, "192.0.2.2", "2001:db8:2::2");
    Relay& relay = network.add_relay("203.0.113.21", "2001:db8:113::21");
    Instant start;
};

TEST_F(Direct, HandshakeOverlapsNominationInTheExactOrder) {
    network.connect(client, gateway);
    network.run_for(1s);

    const auto d = network.delay;
    for (const auto kind : sent_at(client, 0s)) {
        EXPECT_EQ(kind, Wire::kCheck);
    }
    EXPECT_GE(sent_at(client, 0s).size(), 2U);
    const auto at_nomination = sent_at(client, 2 * d);
    ASSERT_GE(at_nomination.size(), 2U);
    EXPECT_EQ(at_nomination[0], Wire::kInitiation);
    EXPECT_EQ(at_nomination[1], Wire::kNominatingCheck);

    EXPECT_EQ(gateway.times_of<ConnectionEstablished>(), (std::vector{start + 3 * d}));
    const auto answer = sent_at(gateway, 3 * d);
    ASSERT_GE(answer.size(), 2U);
    EXPECT_EQ(answer[0], Wire::kResponse);
    EXPECT_EQ(answer[1], Wire::kCheckSuccess);

    EXPECT_EQ(client.times_of<ConnectionEstablished>(), (std::vector{start + 4 * d}));
    const auto confirmation = sent_at(client, 4 * d);
    ASSERT_FALSE(confirmation.empty());
    EXPECT_EQ(confirmation[0], Wire::kKeepAlive);
}

TEST_F(Direct, PrefersIpv6HostsAndSendsFromTheVerifiedAddress) {
    connect();
    network.send(client, gateway, ping(1));
    const auto& last = client.sent.back().datagram;
    EXPECT_EQ(last.from, (net::SocketAddress{*client.v6, Network::kPort}));
    EXPECT_EQ(last.to, (net::SocketAddress{*gateway.v6, Network::kPort}));
    EXPECT_EQ(last.payload.size(), ping(1).size() + 32);
}

TEST(DirectFromPort3478, IsNoRelay) {
    Network network;
    auto& client = network.add_host(Role::kClient, "10.0.0.1", std::nullopt);
    auto& gateway = network.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
    network.add_relay("203.0.113.21", std::nullopt);
    client.nat = net::IpAddress::parse("192.0.2.9");
    client.next_port = 3477;  // for the relay; the gateway sees the next one
    network.settle();

    network.connect(client, gateway);
    network.run_for(2s);
    network.send(gateway, client, ping(1));

    EXPECT_EQ(gateway.sent.back().datagram.to, at("192.0.2.9:3478"));
}

TEST_F(Direct, PacketsPassBothWaysUnchanged) {
    connect();
    network.send(client, gateway, ping(1, 1200));
    network.run_for(100ms);
    network.send(gateway, client, ping(2));
    network.send_slow(gateway, client, ping(3));
    network.run_for(100ms);
    ASSERT_EQ(gateway.received.size(), 1U);
    EXPECT_EQ(gateway.received[0].packet, ping(1, 1200));
    EXPECT_EQ(gateway.received[0].connection, client.id);
    ASSERT_EQ(client.received.size(), 2U);
    EXPECT_EQ(client.received[0].packet, ping(2));
    EXPECT_EQ(client.received[1].packet, ping(3));
}

TEST_F(Direct, ASuperPacketOfTinySegmentsLosesNone) {
    connect();
    const auto packet = packet::make_tcp(at("100.64.0.1:5000"), at("100.64.0.2:80"), {}, Bytes(65535 - 40));
    for (std::uint16_t segment_size = 1; segment_size <= 100; ++segment_size) {
        net::TransmitQueue queue;
        // As full as it may be when another packet is read.
        while (!queue.is_full()) {
            const net::Path path{std::nullopt, at(queue.size() % 2 == 0 ? "192.0.2.7:1" : "192.0.2.8:1")};
            ASSERT_FALSE(queue.append(path, net::Ecn::kNotEct, 100).empty());
        }
        queue.pop_front(1);
        const auto before = queue.size();
        Bytes buffer(64);
        std::ranges::copy(packet, std::back_inserter(buffer));
        packet::Segmenter segments{packet::TunPacket{
            MutableByteSpan{buffer}.subspan(64), {.kind = packet::Offload::Kind::kTcp4, .segment_size = segment_size}}};
        const auto expected = segments.remaining();

        client.node.encapsulate(gateway.id, segments, queue, network.now);

        std::size_t sent = 0;
        for (auto i = before; i < queue.size(); ++i) {
            sent += queue.batch(i).segments;
        }
        ASSERT_EQ(sent, expected) << "segments of " << segment_size;
        ASSERT_EQ(segments.remaining(), 0U);
    }
}

TEST_F(Direct, OuterEcnIsThatOfTheInnerPacket) {
    connect();
    network.send(client, gateway, ping(1, 16, net::Ecn::kEct0));
    EXPECT_EQ(client.sent.back().datagram.ecn, net::Ecn::kEct0);
    network.send_slow(client, gateway, ping(1, 16, net::Ecn::kEct1));
    EXPECT_EQ(client.sent.back().datagram.ecn, net::Ecn::kEct1);
}

TEST_F(Direct, ClientKeepsItsLast128PacketsUntilThereIsAPath) {
    network.connect(client, gateway);
    for (std::uint8_t i = 0; i < 200; ++i) {
        network.send(client, gateway, ping(i));
    }
    network.run_for(1s);
    ASSERT_EQ(gateway.received.size(), 128U);
    EXPECT_EQ(gateway.received.front().packet, ping(72));
    EXPECT_EQ(gateway.received.back().packet, ping(199));
}

TEST_F(Direct, GatewayDropsPacketsUntilThereIsAPathAndDoesNotInitiate) {
    network.connect(client, gateway);
    network.send(gateway, client, ping(1));
    network.run_for(1s);
    EXPECT_TRUE(client.received.empty());
    EXPECT_TRUE(std::ranges::none_of(
        gateway.sent, [](const auto& sent) { return wire_kind(sent.datagram.payload) == Wire::kInitiation; }));
}

TEST_F(Direct, GatewayHandshakesWhenItHasAPacketAndNoSession) {
    connect();
    network.run_for(175s);
    network.is_lost = [&](const Datagram& datagram) {
        return client.owns(datagram.from.ip) && wire_kind(datagram.payload) == Wire::kInitiation;
    };
    network.run_for(8s);  // both sides' halves of the session are gone
    network.send(gateway, client, ping(9));
    network.run_for(1s);
    ASSERT_EQ(client.received.size(), 1U);
    EXPECT_EQ(client.received[0].packet, ping(9));
}

TEST_F(Direct, CandidatesAreSignalledByDescendingPriority) {
    network.connect(client, gateway);
    std::vector<std::uint32_t> priorities;
    for (const auto& happened : client.events) {
        if (const auto* added = std::get_if<NewIceCandidate>(&happened.event)) {
            priorities.push_back(added->priority);
        }
    }
    ASSERT_EQ(priorities.size(), 6U);  // host, srflx and relay of both families
    EXPECT_TRUE(std::ranges::is_sorted(priorities, std::greater{}));
}

TEST_F(Direct, LosingTheRelayLeavesADirectPathAlone) {
    connect();
    for (auto* host : {&client, &gateway}) {
        host->node.update_relays(std::vector{network.relays.front().description.id}, {}, network.now);
    }
    network.run_for(5s);
    client.received.clear();
    network.send(gateway, client, ping(7));
    network.run_for(1s);
    EXPECT_EQ(client.received.size(), 1U);
    EXPECT_EQ(client.count<ConnectionFailed>() + gateway.count<ConnectionFailed>(), 0U);
}

TEST_F(Direct, UpsertWithoutRelaysFails) {
    auto& lonely = network.add_host(Role::kClient, "192.0.2.9", std::nullopt);
    EXPECT_EQ(
        lonely.node.upsert_connection(gateway.id, gateway.node.public_key(), {}, {"a", "b"}, {"c", "d"}, network.now)
            .error(),
        UpsertError::kNoRelays);
    EXPECT_FALSE(lonely.node.has_relays());
    EXPECT_TRUE(client.node.has_relays());
}

TEST_F(Direct, HostsReachEachOtherByTheirOwnAddressesWithoutRelays) {
    Network without{1};
    auto& one = without.add_host(Role::kClient, "192.0.2.9", std::nullopt);
    auto& other = without.add_host(Role::kGateway, "198.51.100.9", std::nullopt);
    one.node.set_local_sockets(
        std::vector{*net::SocketAddress::parse("192.0.2.9:52625"), *net::SocketAddress::parse("169.254.7.7:52625")});
    other.node.set_local_sockets(std::vector{*net::SocketAddress::parse("198.51.100.9:52625")});
    without.connect(one, other);
    without.run_for(3s);

    without.send(one, other, ping(1));
    without.send(other, one, ping(2));
    without.run_for(3s);
    EXPECT_EQ(one.received.size(), 1U);
    EXPECT_EQ(other.received.size(), 1U);
}

TEST_F(Direct, RestsWithOneNominatedPair) {
    Network without{1};
    auto& one = without.add_host(Role::kClient, "192.0.2.9", std::nullopt);
    auto& other = without.add_host(Role::kGateway, "198.51.100.9", std::nullopt);
    one.node.set_local_sockets(std::vector{*net::SocketAddress::parse("192.0.2.9:52625")});
    other.node.set_local_sockets(std::vector{*net::SocketAddress::parse("198.51.100.9:52625")});
    without.connect(one, other);
    without.run_for(60s);
    one.sent.clear();
    other.sent.clear();
    without.run_for(100s);
    // A check and an answer in 25 s.
    EXPECT_LE(one.sent.size(), 10U);
    EXPECT_LE(other.sent.size(), 10U);
}

TEST_F(Direct, OwnAddressesAreNobodysBusinessWhereRelaysAre) {
    client.node.set_local_sockets(std::vector{*net::SocketAddress::parse("10.99.0.1:52625")});
    connect();
    EXPECT_GT(client.count<NewIceCandidate>(), 0U);
    for (const auto& happened : client.events) {
        const auto* signalled = std::get_if<NewIceCandidate>(&happened.event);
        EXPECT_TRUE(signalled == nullptr || !signalled->candidate.contains("10.99.0.1"));
    }
}

// A relay that is listed but silent: the client has candidates of its peer and none of its own.
TEST_F(Direct, AConnectionThatNeverHasAnythingToCheckIsGivenUp) {
    auto& lonely = network.add_host(Role::kClient, "192.0.2.9", std::nullopt);
    const RelayServer silent{
        .id = {}, .v4 = net::SocketAddress::parse("192.0.2.77:3478"), .v6 = {}, .username = "u", .password = "p"};
    lonely.node.update_relays({}, std::vector{silent}, network.now);
    ASSERT_TRUE(
        lonely.node.upsert_connection(gateway.id, gateway.node.public_key(), {}, {"a", "b"}, {"c", "d"}, network.now));
    lonely.node.add_remote_candidate(gateway.id, "candidate:1 1 udp 2130706175 192.0.2.3 52625 typ host ufrag c",
                                     network.now);

    network.run_for(19s);
    EXPECT_EQ(lonely.count<ConnectionFailed>(), 0U);
    network.run_for(2s);
    EXPECT_EQ(lonely.count<ConnectionFailed>(), 1U);
}

class Garbage : public Direct {
protected:
    /// The error for a datagram from the gateway's address; nullopt if there is none.
    std::optional<DecapsulateError> receive(Bytes bytes, std::optional<net::SocketAddress> from = std::nullopt) {
        const auto result =
            client.node.decapsulate({*client.v6, Network::kPort},
                                    from.value_or(net::SocketAddress{*gateway.v6, Network::kPort}), bytes, network.now);
        EXPECT_FALSE(result && *result);
        return result ? std::nullopt : std::optional{result.error()};
    }

    Bytes sealed() {
        network.send(gateway, client, ping(7));
        return gateway.sent.back().datagram.payload;
    }
};

TEST_F(Garbage, IsRefusedWithAReasonAndHarmsNothing) {
    using Kind = DecapsulateError::Kind;
    connect();
    EXPECT_EQ(receive({})->kind, Kind::kNotWireGuard);
    EXPECT_EQ(receive(Bytes(20))->kind, Kind::kNotWireGuard);
    EXPECT_EQ(receive(Bytes(1317))->kind, Kind::kTooLong);
    EXPECT_EQ(receive(Bytes(1316, std::byte{0xff}))->kind, Kind::kNotWireGuard);

    const auto data = sealed();
    auto truncated = data;
    truncated.resize(31);
    EXPECT_EQ(receive(truncated)->kind, Kind::kNotWireGuard);
    auto flipped = data;
    flipped.back() ^= std::byte{1};
    EXPECT_EQ(receive(flipped)->kind, Kind::kDecryption);
    auto foreign = data;
    foreign[7] ^= std::byte{1};
    EXPECT_EQ(receive(foreign)->kind, Kind::kUnknownIndex);

    Bytes initiation(148);
    initiation[0] = std::byte{1};
    EXPECT_EQ(receive(initiation)->kind, Kind::kHandshake);
    Bytes response(92);
    response[0] = std::byte{2};
    EXPECT_EQ(receive(response)->cause, wireguard::Error::kBadMac);
    Bytes cookie_reply(64);
    cookie_reply[0] = std::byte{3};
    EXPECT_EQ(receive(cookie_reply)->kind, Kind::kUnknownIndex);

    network.run_for(1s);
    EXPECT_EQ(client.received.size(), 1U);  // the genuine one
}

TEST_F(Garbage, FloodOfStrangersInitiationsIsAnsweredWithCookiesUnread) {
    connect();
    network.run_for(1s);
    const net::SocketAddress flooder{ip("2001:db8:66::66"), 6666};
    const auto flood = [&](std::uint32_t index) {
        auto rng = Rng::from_number(index);
        wireguard::Tunnel stranger{
            crypto::KeyPair::generate(rng), client.node.public_key(), {}, index, rng, network.now, WallTime{}};
        stranger.initiate_handshake(network.now);
        return receive(*stranger.poll_transmit(), flooder);
    };

    for (std::uint32_t n = 0; n < wireguard::kHandshakesPerWindow; ++n) {
        ASSERT_EQ(flood(n)->kind, DecapsulateError::Kind::kUnknownPeer);
    }
    const auto refused = flood(wireguard::kHandshakesPerWindow);
    EXPECT_EQ(refused->cause, wireguard::Error::kUnderLoad);
    client.sent.clear();
    network.settle_node(client);
    const auto answer =
        std::ranges::find_if(client.sent, [&](const auto& sent) { return sent.datagram.to == flooder; });
    ASSERT_NE(answer, client.sent.end());
    EXPECT_EQ(wireguard::classify(answer->datagram.payload), wireguard::PacketKind::kCookieReply);
    EXPECT_EQ(answer->datagram.from.ip, *client.v6) << "must come from where it was asked";

    network.run_for(1s);
    EXPECT_EQ(flood(1000)->kind, DecapsulateError::Kind::kUnknownPeer) << "a new window needs no cookie";
}

TEST_F(Garbage, ReplayedDataIsRefusedWhileAnotherSourceAddressIsFine) {
    connect();
    network.is_lost = [](const Datagram&) { return true; };
    const auto data = sealed();
    auto copy = data;
    const auto result =
        client.node.decapsulate({*client.v4, Network::kPort}, at("198.51.100.77:4711"), copy, network.now);
    ASSERT_TRUE(result && *result);
    EXPECT_EQ(to_bytes((*result)->packet), ping(7));
    EXPECT_EQ(receive(data)->kind, DecapsulateError::Kind::kDecryption);
    network.send(client, gateway, ping(8));
    EXPECT_EQ(client.sent.back().datagram.to.ip, *gateway.v6) << "must not roam";
}

TEST_F(Garbage, StunAndChannelDataOfStrangersAreRefused) {
    using Kind = DecapsulateError::Kind;
    connect();
    // A check with credentials that nobody here has.
    const auto check = std::ranges::find_if(
        gateway.sent, [](const auto& sent) { return wire_kind(sent.datagram.payload) == Wire::kCheck; });
    ASSERT_NE(check, gateway.sent.end());
    auto forged = check->datagram.payload;
    forged[30] ^= std::byte{1};
    EXPECT_EQ(receive(forged)->kind, Kind::kUnknownStun);

    EXPECT_EQ(receive(*from_hex("40000001ff"), at("203.0.113.99:3478"))->kind, Kind::kUnknownRelay);
    EXPECT_EQ(receive(*from_hex("4fff0001ff"), relay.description.v4)->kind, Kind::kUnknownChannel);
    EXPECT_EQ(receive(*from_hex("4fff0002ff"), relay.description.v4)->kind, Kind::kNotWireGuard);
    EXPECT_EQ(receive(*from_hex("000100002112a442000000000000000000000000"), at("203.0.113.99:3478"))->kind,
              Kind::kUnknownRelay);
    EXPECT_EQ(receive(*from_hex("000100002112a442000000000000000000000000"), relay.description.v4), std::nullopt);
}

TEST_F(Garbage, StrayPacketsOfAFormerPeerAreToldFromThoseOfStrangers) {
    using Kind = DecapsulateError::Kind;
    connect();
    const auto initiation = std::ranges::find_if(
        client.sent, [](const auto& sent) { return wire_kind(sent.datagram.payload) == Wire::kInitiation; });
    ASSERT_NE(initiation, client.sent.end());
    network.send(client, gateway, ping(7));
    const auto data = client.sent.back().datagram.payload;

    gateway.node.forget_connection(client.id, network.now);
    network.settle_node(gateway);
    EXPECT_FALSE(gateway.node.has_connection(client.id));
    EXPECT_EQ(gateway.count<ConnectionClosed>() + gateway.count<ConnectionFailed>(), 0U);

    const auto receive_both = [&](bool is_recent) {
        for (auto [bytes, kind] :
             {std::pair{data, Kind::kUnknownIndex}, std::pair{initiation->datagram.payload, Kind::kUnknownPeer}}) {
            const auto result = gateway.node.decapsulate({*gateway.v6, Network::kPort}, {*client.v6, Network::kPort},
                                                         bytes, network.now);
            EXPECT_EQ(result.error(), (DecapsulateError{kind, is_recent, std::nullopt}));
        }
    };
    network.is_lost = [](const Datagram&) { return true; };
    network.run_for(4999ms);
    receive_both(true);
    network.run_for(1ms);
    receive_both(false);
}

TEST_F(Direct, RandomLossDelaysButNeverCorruptsOrDuplicates) {
    unsigned survivors = 0;
    constexpr std::uint64_t kSeeds = repetitions(10U);
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Network lossy{seed};
        auto& a = lossy.add_host(Role::kClient, "192.0.2.1", "2001:db8:1::1");
        auto& b = lossy.add_host(Role::kGateway, "192.0.2.2", "2001:db8:2::2");
        lossy.add_relay("203.0.113.21", "2001:db8:113::21");
        lossy.settle();
        auto rng = Rng::from_number(seed);
        lossy.is_lost = [&](const Datagram& datagram) {
            if (rng.below(10) == 0) {
                lossy.inject(datagram);  // a duplicate, which arrives after what was sent meanwhile
            }
            return rng.below(10) < 2;
        };
        lossy.connect(a, b);
        lossy.run_for(30s);
        if (a.count<ConnectionEstablished>() == 0) {
            EXPECT_EQ(a.count<ConnectionFailed>(), 1U) << "seed " << seed;
            continue;
        }
        ++survivors;
        std::size_t sent = 0;
        for (int i = 0; i < 500; ++i) {
            lossy.send(a, b, ping(static_cast<std::uint8_t>(i), 8 + rng.below(1000)));
            ++sent;
            lossy.run_for(5ms);
        }
        lossy.run_for(1s);
        EXPECT_LE(b.received.size(), sent) << "seed " << seed;
        EXPECT_GT(b.received.size(), sent / 2) << "seed " << seed;
        for (const auto& received : b.received) {
            const auto number = static_cast<std::uint8_t>(received.packet.back());
            EXPECT_EQ(received.packet, ping(number, received.packet.size() - 28));
        }
    }
    EXPECT_GE(survivors, kSeeds * 7 / 10);
}

}  // namespace
}  // namespace culvert::connectivity::testing
