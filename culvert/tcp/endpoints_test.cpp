#include "culvert/tcp/endpoints.h"

#include <gtest/gtest.h>

#include "culvert/base/sans_io.h"
#include "culvert/packet/builder.h"
#include "culvert/tcp/testing/lossy_link.h"
#include "culvert/tcp/testing/remote_end.h"

namespace culvert::tcp {
namespace {

using namespace std::chrono_literals;
using packet::kTcpAck;
using packet::kTcpFin;
using packet::kTcpRst;
using packet::kTcpSyn;
using test::RemoteEnd;
using test::socket;

static_assert(SansIo<Endpoints>);

const auto kListener = socket("100.100.111.1:53");

class EndpointsTest : public ::testing::Test {
protected:
    void SetUp() override { endpoints.listen(kListener); }

    /// Sends a SYN; whether it was taken, refused, or not answered.
    std::optional<Segment> ask(RemoteEnd& peer, std::uint32_t initial = 1000) {
        peer.send({.sequence = Sequence{initial}, .flags = kTcpSyn}, now);
        return peer.receive();
    }
    RemoteEnd peer(std::uint16_t port, std::string_view ip = "100.64.0.1") {
        return {endpoints, {{net::IpAddress::parse(ip).value(), port}, kListener}};
    }
    /// Yields the numbers with which both go on.
    std::pair<Sequence, Sequence> open(RemoteEnd& peer, std::uint32_t initial = 1000) {
        const auto answer = ask(peer, initial);
        EXPECT_TRUE(answer && answer->flags == (kTcpSyn | kTcpAck));
        const auto ours = answer->sequence + 1;
        peer.send({.sequence = Sequence{initial + 1}, .acknowledgement = ours, .flags = kTcpAck}, now);
        return {Sequence{initial + 1}, ours};
    }
    std::size_t opened() {
        std::size_t count = 0;
        while (const auto event = endpoints.poll_event()) {
            count += event->signal == Signal::kOpened ? 1 : 0;
        }
        return count;
    }

    Instant now = Instant{} + 1h;
    Endpoints endpoints{
        {.connections = 20, .per_listener = 10, .per_peer = 15, .half_open_per_peer = 4, .time_wait = 3},
        Rng::from_number(1)};
};

TEST_F(EndpointsTest, LeavesAloneWhatIsForOthers) {
    const auto offer = [&](Bytes bytes) {
        return endpoints.handle_packet(packet::IpPacket::parse(bytes).value(), Checksums::kVerify, now);
    };
    const auto from = socket("100.64.0.1:4000");
    EXPECT_FALSE(offer(packet::make_udp(from, kListener, {})));
    EXPECT_FALSE(offer(packet::make_tcp(from, socket("100.100.111.1:54"), {.flags = kTcpSyn}, {})));
    EXPECT_FALSE(offer(packet::make_tcp(from, socket("100.100.111.2:53"), {.flags = kTcpSyn}, {})));
    EXPECT_EQ(endpoints.poll_transmit(), std::nullopt);

    EXPECT_TRUE(offer(packet::make_tcp(from, kListener, {.flags = kTcpSyn}, {})));
}

TEST_F(EndpointsTest, RefusesWhatBelongsToNoConnection) {
    auto stranger = peer(4000);
    stranger.send({.sequence = Sequence{1}, .acknowledgement = Sequence{77}, .flags = kTcpAck}, now);

    const auto refusal = stranger.receive();

    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->flags, kTcpRst);
    EXPECT_EQ(refusal->sequence, Sequence{77});
}

TEST_F(EndpointsTest, DropsWhatIsCorrupt) {
    auto bytes = packet::make_tcp(socket("100.64.0.1:4000"), kListener, {.flags = kTcpSyn}, {});
    bytes.back() ^= std::byte{1};
    const auto packet = packet::IpPacket::parse(bytes).value();

    EXPECT_TRUE(endpoints.handle_packet(packet, Checksums::kVerify, now));
    EXPECT_EQ(endpoints.size(), 0U);
    EXPECT_TRUE(endpoints.handle_packet(packet, Checksums::kIgnore, now));
    EXPECT_EQ(endpoints.size(), 1U) << "the kernel left the checksum to us";
}

TEST_F(EndpointsTest, AnswersNobodyWhoIsNoHost) {
    for (const auto* source : {"224.0.0.1:4000", "255.255.255.255:4000", "0.0.0.0:4000"}) {
        auto bytes = packet::make_tcp(socket(source), kListener, {.flags = kTcpSyn}, {});
        EXPECT_TRUE(endpoints.handle_packet(packet::IpPacket::parse(bytes).value(), Checksums::kVerify, now));
    }
    EXPECT_EQ(endpoints.size(), 0U);
    EXPECT_EQ(endpoints.poll_transmit(), std::nullopt);
}

TEST_F(EndpointsTest, TakesTenConnectionsPerListenerAndRefusesTheNext) {
    for (std::uint16_t port = 1; port <= 10; ++port) {
        auto client = peer(port);
        open(client);
    }
    auto eleventh = peer(11);

    const auto answer = ask(eleventh);

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->flags, kTcpRst | kTcpAck);
    EXPECT_EQ(opened(), 10U);
}

TEST_F(EndpointsTest, AnotherListenerHasRoomOfItsOwn) {
    for (std::uint16_t port = 1; port <= 10; ++port) {
        auto client = peer(port);
        open(client);
    }
    const auto other = socket("100.100.111.2:53");
    endpoints.listen(other);
    RemoteEnd client{endpoints, {socket("100.64.0.1:4000"), other}};

    EXPECT_EQ(ask(client)->flags, kTcpSyn | kTcpAck);
}

TEST_F(EndpointsTest, HalfOpenConnectionsKeepNobodyOut) {
    for (std::uint16_t port = 1; port <= 9; ++port) {
        auto client = peer(port);
        open(client);
    }
    auto lazy = peer(10);
    EXPECT_EQ(ask(lazy)->flags, kTcpSyn | kTcpAck);
    auto eleventh = peer(11);

    EXPECT_EQ(ask(eleventh)->flags, kTcpSyn | kTcpAck);
    EXPECT_EQ(endpoints.size(), 10U);
}

TEST_F(EndpointsTest, AFloodPushesOutItself) {
    auto patient = peer(4000, "100.64.0.2");
    EXPECT_EQ(ask(patient)->flags, kTcpSyn | kTcpAck);
    for (std::uint16_t port = 1; port <= 500; ++port) {
        auto flood = peer(port, "100.64.0.1");
        ask(flood);
        ASSERT_LE(endpoints.size(), 5U) << "four of one peer";
    }

    const auto answer = ask(patient);
    EXPECT_EQ(answer, std::nullopt) << "is still known, so its SYN is an old one";
    EXPECT_EQ(opened(), 0U);
}

TEST_F(EndpointsTest, OneOfManyPeersIsDroppedWhereMostAre) {
    // Three half-open ones each of two peers, two of a third, and two of the one who matters.
    for (std::uint16_t port = 1; port <= 3; ++port) {
        for (const auto* ip : {"100.64.0.10", "100.64.0.11"}) {
            auto other = peer(port, ip);
            ask(other);
        }
    }
    for (std::uint16_t port = 1; port <= 2; ++port) {
        for (const auto* ip : {"100.64.0.12", "100.64.0.2"}) {
            auto other = peer(port, ip);
            ask(other);
        }
    }
    ASSERT_EQ(endpoints.size(), 10U);
    auto newcomer = peer(1, "100.64.0.13");

    ASSERT_EQ(ask(newcomer)->flags, kTcpSyn | kTcpAck);

    auto dropped = peer(1, "100.64.0.10");
    dropped.send({.sequence = Sequence{1001}, .acknowledgement = Sequence{1}, .flags = kTcpAck}, now);
    EXPECT_TRUE(dropped.receive()->has(kTcpRst)) << "the oldest of one of those who had most";
    EXPECT_EQ(endpoints.size(), 10U);
}

TEST_F(EndpointsTest, RemembersOnlySomeOfWhatHasEnded) {
    for (std::uint16_t port = 1; port <= 8; ++port) {
        auto client = peer(port);
        auto [theirs, ours] = open(client);
        const auto id = endpoints.poll_event()->connection;
        endpoints.close(id, now);
        client.receive();
        client.send({.sequence = theirs, .acknowledgement = ours + 1, .flags = kTcpAck | kTcpFin}, now);
        client.receive();
        opened();
        ASSERT_LE(endpoints.size(), 3U);
    }
}

TEST_F(EndpointsTest, WhatHasEndedTakesNobodysPlace) {
    Endpoints::Limits limits{.connections = 2, .per_listener = 2, .time_wait = 10};
    Endpoints small{limits, Rng::from_number(3)};
    small.listen(kListener);
    for (std::uint16_t port = 1; port <= 8; ++port) {
        RemoteEnd client{small, {{net::IpAddress::parse("100.64.0.1").value(), port}, kListener}};
        client.send({.sequence = Sequence{1}, .flags = kTcpSyn}, now);
        const auto answer = client.receive();
        ASSERT_EQ(answer->flags, kTcpSyn | kTcpAck) << port;
        const auto ours = answer->sequence + 1;
        client.send({.sequence = Sequence{2}, .acknowledgement = ours, .flags = kTcpAck}, now);
        small.close(small.poll_event()->connection, now);
        client.receive();
        client.send({.sequence = Sequence{2}, .acknowledgement = ours + 1, .flags = kTcpAck | kTcpFin}, now);
        client.receive();
        while (small.poll_event()) {
        }
    }
    EXPECT_EQ(small.size(), 8U);
}

TEST_F(EndpointsTest, AnEndedConnectionGivesWayToANewOneBetweenTheSamePorts) {
    auto client = peer(4000);
    auto [theirs, ours] = open(client);
    endpoints.close(endpoints.poll_event()->connection, now);
    client.receive();
    client.send({.sequence = theirs, .acknowledgement = ours + 1, .flags = kTcpAck | kTcpFin}, now);
    client.receive();
    opened();

    client.send({.sequence = theirs, .flags = kTcpSyn}, now);
    const auto old = client.receive();
    EXPECT_FALSE(old && old->has(kTcpSyn)) << "an old number may belong to the old connection";

    now += 1s;
    const auto fresh = ask(client, 100'000);
    ASSERT_TRUE(fresh.has_value());
    EXPECT_EQ(fresh->flags, kTcpSyn | kTcpAck);
    EXPECT_GT(fresh->sequence, ours + 1) << "our numbers go on as well (RFC 6528)";
}

TEST_F(EndpointsTest, InitialNumbersOfDifferentPeersSayNothingAboutEachOther) {
    auto one = peer(1);
    auto two = peer(2);
    const auto difference = ask(one)->sequence.value() - ask(two)->sequence.value();
    Endpoints others{{}, Rng::from_number(2)};
    others.listen(kListener);
    RemoteEnd again{others, one.route()};
    again.send({.sequence = Sequence{1}, .flags = kTcpSyn}, now);

    EXPECT_NE(difference, 0U);
    EXPECT_NE(again.receive()->sequence, Sequence{0});
}

TEST_F(EndpointsTest, ConnectsFromPortsThatNobodyElseHas) {
    const auto local = net::IpAddress::parse("100.64.0.1").value();
    std::set<std::uint16_t> ports;
    for (int i = 0; i < 20; ++i) {
        const auto id = endpoints.connect(local, socket("10.0.0.53:53"), now);
        const auto port = endpoints.route(id.value())->local.port;
        EXPECT_GE(port, kFirstDynamicPort);
        ports.insert(port);
    }
    EXPECT_EQ(ports.size(), 20U);
    EXPECT_GT(*ports.rbegin() - *ports.begin(), 1000) << "nor can they be foreseen";
}

TEST_F(EndpointsTest, ConnectsToNoMoreThanItsLimit) {
    const auto local = net::IpAddress::parse("100.64.0.1").value();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(endpoints.connect(local, socket("10.0.0.53:53"), now).has_value());
    }

    EXPECT_EQ(endpoints.connect(local, socket("10.0.0.53:53"), now).error(),
              Endpoints::ConnectError::kTooManyConnections);
    EXPECT_EQ(endpoints.connect(local, socket("[2001:db8::1]:53"), now).error(),
              Endpoints::ConnectError::kFamilyMismatch);
}

TEST_F(EndpointsTest, IgnoresWhoIsGone) {
    EXPECT_FALSE(endpoints.write({99}, {}, now));
    EXPECT_TRUE(endpoints.readable({99}).empty());
    EXPECT_EQ(endpoints.room({99}), 0U);
    endpoints.consume({99}, 0, now);
    endpoints.close({99}, now);
    endpoints.abort({99}, now);
}

TEST_F(EndpointsTest, TellsAllPeersWhenEverythingEnds) {
    auto one = peer(1);
    auto two = peer(2);
    open(one);
    open(two);

    endpoints.abort_all(now);

    EXPECT_EQ(endpoints.size(), 0U);
    EXPECT_TRUE(one.receive()->has(kTcpRst));
    EXPECT_TRUE(two.receive()->has(kTcpRst));
    EXPECT_EQ(opened(), 0U) << "nobody wants to hear of what is gone";
}

TEST(ManyConnections, ExchangeTheirDataAtOnce) {
    constexpr std::uint16_t kCount = 200;
    Endpoints left{{.connections = kCount, .time_wait = kCount}, Rng::from_number(1)};
    Endpoints right{{.connections = kCount, .per_listener = kCount, .per_peer = kCount, .half_open_per_peer = kCount},
                    Rng::from_number(2)};
    right.listen(kListener);
    test::LossyLink link{left, right, {.loss_percent = 5}, Rng::from_number(3)};
    std::map<ConnectionId, Bytes> read;
    for (std::uint16_t i = 0; i < kCount; ++i) {
        const auto id = left.connect(net::IpAddress::parse("100.64.0.1").value(), kListener, link.now());
        Bytes hello(std::size_t{2} + i, std::byte{7});
        store_be(MutableByteSpan{hello}, i);
        ASSERT_TRUE(left.write(id.value(), hello, link.now()));
    }
    std::size_t ended = 0;
    while (ended < kCount) {
        while (const auto event = left.poll_event()) {
            if (event->signal == Signal::kDrained) {
                left.close(event->connection, link.now());
            }
        }
        while (const auto event = right.poll_event()) {
            append(read[event->connection], right.readable(event->connection));
            right.consume(event->connection, right.readable(event->connection).size(), link.now());
            if (event->signal == Signal::kPeerClosed) {
                right.close(event->connection, link.now());
            }
            ended += event->signal == Signal::kClosed ? 1 : 0;
        }
        ASSERT_TRUE(link.step());
    }
    std::set<std::uint16_t> seen;
    for (const auto& [id, bytes] : read) {
        ASSERT_GE(bytes.size(), 2U);
        const auto i = load_be<std::uint16_t>(bytes);
        EXPECT_EQ(bytes.size(), std::size_t{2} + i);
        seen.insert(i);
    }
    EXPECT_EQ(seen.size(), kCount);
}

}  // namespace
}  // namespace culvert::tcp
