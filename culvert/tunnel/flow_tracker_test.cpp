#include "culvert/tunnel/flow_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using portal_api::FlowRole;
using test::id;
using test::socket;

class FlowTrackerTest : public ::testing::Test {
protected:
    FlowTrackerTest() { authorize(1, 2); }

    /// With the resource's number as the authorization's.
    static std::string token(std::uint8_t resource, bool uploads = true) {
        portal_api::IngestClaims claims;
        claims.expires_at = UnixSeconds{1'790'812'800s};
        claims.uploads_enabled = uploads;
        claims.role = FlowRole::kResponder;
        claims.policy_authorization = id<ResourceId>(resource).uuid();
        return portal_api::sign_ingest_token(claims, {});
    }
    static Uuid peer(std::uint8_t number) { return id<ClientId>(number).uuid(); }
    void authorize(std::uint8_t client, std::uint8_t resource) {
        tracker.authorize(peer(client), id<ResourceId>(resource), token(resource), now);
    }
    packet::IpPacket tcp(std::uint8_t flags, std::size_t size = 10) {
        bytes = packet::make_tcp(socket("100.64.0.1:5000"), socket("10.0.0.1:80"), {.flags = flags}, Bytes(size));
        return packet::IpPacket::parse(bytes).value();
    }
    packet::IpPacket udp() {
        bytes = packet::make_udp(socket("100.64.0.1:5000"), socket("10.0.0.1:53"), Bytes(5));
        return packet::IpPacket::parse(bytes).value();
    }
    FlowTracker::Handle start(const packet::IpPacket& packet, std::uint8_t resource = 2, std::uint8_t client = 1) {
        return tracker.start({.peer = peer(client),
                              .resource = id<ResourceId>(resource),
                              .source = socket("100.64.0.1:5000"),
                              .destination = socket("10.0.0.1:80"),
                              .domain = "wiki.example",
                              .path = path},
                             packet, 1, now);
    }
    /// Time passes, and what is recorded meanwhile is kept.
    void pass(Duration duration) {
        for (const auto end = now + duration; now < end;) {
            now += 1s;
            tracker.sweep(now, [this](const Uuid&) { return path; });
            collect();
        }
    }
    void collect() {
        while (auto batch = tracker.poll()) {
            std::ranges::move(batch->flows, std::back_inserter(recorded));
            dropped += batch->dropped;
        }
    }

    Instant now{100s};
    FlowTracker tracker{4};
    std::optional<connectivity::SendPath> path =
        connectivity::SendPath{socket("10.99.0.2:52625"), socket("198.51.100.40:52625"), Instant{90s}};
    Bytes bytes;
    std::vector<TrackedFlow> recorded;
    std::uint64_t dropped = 0;
};

TEST_F(FlowTrackerTest, RecordsThatAFlowBeganAndThatItIsOver) {
    const auto handle = start(tcp(packet::kTcpSyn, 0));
    EXPECT_TRUE(tracker.note_sent(handle, tcp(packet::kTcpAck), 3, now));
    pass(1s);
    ASSERT_EQ(recorded.size(), 1U);
    EXPECT_EQ(recorded[0].authorization->id, id<ResourceId>(2).uuid());
    EXPECT_EQ(recorded[0].authorization->role, FlowRole::kResponder);
    EXPECT_EQ(recorded[0].authorization->token, token(2));
    EXPECT_EQ(recorded[0].protocol, portal_api::FlowProtocol::kTcp);
    EXPECT_EQ(recorded[0].source, socket("100.64.0.1:5000"));
    EXPECT_EQ(recorded[0].destination, socket("10.0.0.1:80"));
    EXPECT_EQ(recorded[0].domain, "wiki.example");
    EXPECT_EQ(recorded[0].started_at, Instant{100s});
    EXPECT_FALSE(recorded[0].end);

    now += 500ms;
    tracker.note_received(handle, tcp(packet::kTcpAck, 100), 2, now);
    tracker.note_received(handle, tcp(packet::kTcpRst, 0), 1, now);
    pass(1s);
    ASSERT_EQ(recorded.size(), 2U);
    EXPECT_EQ(recorded[1].started_at, recorded[0].started_at);
    ASSERT_TRUE(recorded[1].end);
    EXPECT_EQ(recorded[1].end->ended_at, Instant{101500ms});
    EXPECT_EQ(recorded[1].end->last_packet, Instant{101500ms});
    EXPECT_EQ(recorded[1].end->tx_packets, 4U);
    EXPECT_EQ(recorded[1].end->tx_bytes, 10U);
    EXPECT_EQ(recorded[1].end->rx_packets, 3U);
    EXPECT_EQ(recorded[1].end->rx_bytes, 100U);
    EXPECT_EQ(recorded[1].paths, std::vector{*path});
    EXPECT_EQ(tracker.size(), 0U);
}

TEST_F(FlowTrackerTest, AShortFlowIsOneRecord) {
    const auto handle = start(udp());
    tracker.note_received(handle, udp(), 1, now);
    tracker.end(peer(1), id<ResourceId>(2), now);
    pass(3s);
    ASSERT_EQ(recorded.size(), 1U);
    EXPECT_TRUE(recorded[0].end);
    EXPECT_EQ(recorded[0].protocol, portal_api::FlowProtocol::kUdp);
}

TEST_F(FlowTrackerTest, EndsWhenBothSidesHaveClosed) {
    const auto handle = start(tcp(packet::kTcpSyn));
    pass(1s);
    EXPECT_TRUE(tracker.note_sent(handle, tcp(packet::kTcpAck | packet::kTcpFin), 1, now));
    pass(5s);
    EXPECT_EQ(recorded.size(), 1U) << "half of it goes on";
    tracker.note_received(handle, tcp(packet::kTcpAck | packet::kTcpFin), 1, now);
    now += 200ms;
    EXPECT_TRUE(tracker.note_sent(handle, tcp(packet::kTcpAck), 1, now)) << "the last ACK belongs to it";
    pass(1s);
    ASSERT_EQ(recorded.size(), 2U);
    EXPECT_EQ(recorded[1].end->ended_at, Instant{106200ms});
    EXPECT_EQ(recorded[1].end->tx_packets, 3U);
}

TEST_F(FlowTrackerTest, EndsAfterTwoMinutesOfSilence) {
    const auto handle = start(udp());
    pass(100s);
    tracker.note_received(handle, udp(), 1, now);
    pass(119s);
    EXPECT_EQ(recorded.size(), 1U);
    pass(5s);
    ASSERT_EQ(recorded.size(), 2U);
    EXPECT_EQ(recorded[1].end->last_packet, Instant{200s});
    EXPECT_TRUE(tracker.note_sent(handle, tcp(packet::kTcpFin), 1, now)) << "begins nothing";
    EXPECT_FALSE(tracker.note_sent(handle, udp(), 1, now)) << "begins another";
}

TEST_F(FlowTrackerTest, ANewConnectionIsAnotherFlow) {
    const auto handle = start(tcp(packet::kTcpSyn));
    EXPECT_TRUE(tracker.note_sent(handle, tcp(packet::kTcpSyn), 1, now)) << "sent once more";
    EXPECT_TRUE(tracker.note_sent(handle, tcp(packet::kTcpAck), 1, now));
    EXPECT_FALSE(tracker.note_sent(handle, tcp(packet::kTcpSyn), 1, now));
    const auto next = start(tcp(packet::kTcpSyn));
    EXPECT_NE(next, handle);
    tracker.note_received(handle, tcp(packet::kTcpRst), 1, now);
    EXPECT_EQ(tracker.size(), 1U) << "the handle of the first one is worthless";
    pass(1s);
    EXPECT_EQ(recorded.size(), 2U);
}

TEST_F(FlowTrackerTest, EndsWithItsAuthorization) {
    authorize(1, 3);
    authorize(2, 2);
    start(udp(), 2, 1);
    start(udp(), 3, 1);
    start(udp(), 2, 2);
    pass(1s);
    recorded.clear();

    tracker.end(peer(1), id<ResourceId>(3), now);
    EXPECT_EQ(tracker.size(), 2U);
    tracker.end_all_of(peer(1), now);
    EXPECT_EQ(tracker.size(), 1U);
    EXPECT_TRUE(tracker.is_on());
    tracker.end_all_of(peer(2), now);
    EXPECT_FALSE(tracker.is_on());
    pass(1s);
    EXPECT_EQ(recorded.size(), 3U);
    for (const auto& flow : recorded) {
        EXPECT_TRUE(flow.end);
    }
}

TEST_F(FlowTrackerTest, RecordsOnlyWhatATokenAsksFor) {
    for (const auto& useless :
         {std::optional<std::string>{}, std::optional{token(9, false)}, std::optional<std::string>{"no token"}}) {
        tracker.authorize(peer(9), id<ResourceId>(9), useless, now);
        EXPECT_EQ(start(udp(), 9, 9), tracker.nothing());
    }
    start(udp());
    tracker.authorize(peer(1), id<ResourceId>(2), token(2, false), now);
    EXPECT_EQ(tracker.size(), 0U) << "and no longer";
    EXPECT_FALSE(tracker.is_on());
    pass(1s);
    EXPECT_EQ(recorded.size(), 1U);
}

TEST_F(FlowTrackerTest, LooksAgainWhenSomethingIsAuthorized) {
    auto handle = start(udp(), 3);
    EXPECT_EQ(handle, tracker.nothing());
    EXPECT_TRUE(tracker.note_sent(handle, udp(), 1, now)) << "once is enough";
    authorize(1, 3);
    EXPECT_FALSE(tracker.note_sent(handle, udp(), 1, now));
    handle = start(udp(), 3);
    EXPECT_TRUE(tracker.note_sent(handle, udp(), 1, now));
    EXPECT_EQ(tracker.size(), 1U);
}

TEST_F(FlowTrackerTest, WhatRunsStaysWithTheTokenUnderWhichItBegan) {
    start(udp());
    tracker.authorize(peer(1), id<ResourceId>(2), token(7), now);
    const auto later = start(tcp(packet::kTcpSyn));
    EXPECT_TRUE(tracker.note_sent(later, tcp(packet::kTcpAck), 1, now));
    pass(1s);
    ASSERT_EQ(recorded.size(), 2U);
    EXPECT_EQ(recorded[0].authorization->id, id<ResourceId>(2).uuid());
    EXPECT_EQ(recorded[1].authorization->id, id<ResourceId>(7).uuid());
    tracker.end(peer(1), id<ResourceId>(2), now);
    EXPECT_EQ(tracker.size(), 0U) << "but ends with what took its place";
}

TEST_F(FlowTrackerTest, NamesThePathsThatItUsed) {
    const auto handle = start(udp());
    pass(1s);
    const auto first = *path;
    path = connectivity::SendPath{std::nullopt, socket("203.0.113.20:61743"), now};
    pass(1s);
    EXPECT_TRUE(tracker.note_sent(handle, udp(), 1, now));
    pass(1s);
    const auto unused = connectivity::SendPath{std::nullopt, socket("203.0.113.21:61743"), now};
    const auto second = std::exchange(path, unused);
    pass(1s);
    tracker.end(peer(1), id<ResourceId>(2), now);
    pass(1s);
    EXPECT_EQ(recorded.back().paths, (std::vector{first, *second}));
}

TEST_F(FlowTrackerTest, IsSplitAtSixteenPaths) {
    auto handle = start(udp());
    for (std::uint16_t n = 0; n < 16; ++n) {
        EXPECT_TRUE(tracker.note_sent(handle, udp(), 1, now)) << n;
        path = connectivity::SendPath{std::nullopt, {test::ip("203.0.113.20"), n}, now};
        pass(1s);
    }
    ASSERT_EQ(recorded.size(), 2U) << "the first path and fifteen others";
    ASSERT_TRUE(recorded[1].end);
    EXPECT_EQ(recorded[1].paths.size(), 16U);
    EXPECT_FALSE(tracker.note_sent(handle, udp(), 1, now));
    handle = start(udp());
    pass(1s);
    ASSERT_EQ(recorded.size(), 3U);
    EXPECT_EQ(recorded[2].paths, std::vector{*path});
}

TEST_F(FlowTrackerTest, WhatNeverHadAPathNeverWas) {
    path.reset();
    start(udp());
    pass(1s);
    ASSERT_EQ(recorded.size(), 1U);
    EXPECT_TRUE(recorded[0].paths.empty());
    tracker.end(peer(1), id<ResourceId>(2), now);
    pass(1s);
    EXPECT_EQ(recorded.size(), 1U);

    authorize(1, 2);
    start(udp());
    path = connectivity::SendPath{std::nullopt, socket("203.0.113.20:61743"), now + 500ms};
    pass(1s);
    tracker.end(peer(1), id<ResourceId>(2), now);
    pass(1s);
    ASSERT_TRUE(recorded.back().end) << "it waited for its path";
    EXPECT_EQ(recorded.back().paths.size(), 1U);
}

TEST_F(FlowTrackerTest, AFirstFlowMayBeOverBeforeItsPathIsKnown) {
    const auto connected = std::exchange(path, std::nullopt);
    tracker.note_received(start(tcp(packet::kTcpSyn)), tcp(packet::kTcpRst), 1, now);
    path = connected;
    pass(1s);
    ASSERT_EQ(recorded.size(), 1U);
    EXPECT_TRUE(recorded[0].end);
    EXPECT_EQ(recorded[0].paths, std::vector{*connected});
}

TEST_F(FlowTrackerTest, MakesRoomForFurtherFlows) {
    const auto first = start(udp());
    for (int i = 0; i < 3; ++i) {
        pass(2s);
        start(udp());
    }
    pass(2s);
    EXPECT_TRUE(tracker.note_sent(first, udp(), 1, now)) << "is in use";
    recorded.clear();
    start(udp());
    pass(1s);
    EXPECT_EQ(tracker.size(), 4U);
    ASSERT_EQ(recorded.size(), 2U);
    EXPECT_EQ(recorded[0].started_at, Instant{102s});
    EXPECT_TRUE(recorded[0].end);
}

TEST_F(FlowTrackerTest, CountsWhatIsTooMuchForTheControlThread) {
    for (std::size_t i = 0; i < kQueuedFlowRecords + 10; ++i) {
        tracker.note_received(start(tcp(packet::kTcpSyn)), tcp(packet::kTcpRst), 1, now);
    }
    auto batch = tracker.poll();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->flows.size(), kQueuedFlowRecords);
    EXPECT_EQ(batch->dropped, 10U);
    EXPECT_FALSE(tracker.poll());
    pass(1s);
    EXPECT_EQ(dropped, 0U) << "each is counted once";
}

TEST_F(FlowTrackerTest, TellsSeldomUnlessThereIsMuchToTell) {
    for (std::size_t i = 0; i + 1 < kFlowRecordBatch; ++i) {
        tracker.note_received(start(tcp(packet::kTcpSyn)), tcp(packet::kTcpRst), 1, now);
    }
    EXPECT_FALSE(tracker.poll());
    tracker.note_received(start(tcp(packet::kTcpSyn)), tcp(packet::kTcpRst), 1, now);
    EXPECT_EQ(tracker.poll()->flows.size(), kFlowRecordBatch);
}

TEST_F(FlowTrackerTest, TellsOfAllAtTheEnd) {
    start(udp());
    start(tcp(packet::kTcpSyn));
    tracker.finish_all(now);
    collect();
    ASSERT_EQ(recorded.size(), 2U);
    EXPECT_TRUE(recorded[0].end);
    EXPECT_TRUE(recorded[1].end);
    EXPECT_FALSE(tracker.is_on());
}

}  // namespace
}  // namespace culvert::tunnel
