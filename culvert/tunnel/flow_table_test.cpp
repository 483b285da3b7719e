#include "culvert/tunnel/flow_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;
using test::ip;

constexpr auto kAck = packet::kTcpAck;
constexpr auto kSyn = packet::kTcpSyn;
constexpr auto kFin = packet::kTcpFin;
constexpr auto kRst = packet::kTcpRst;

const auto kA = test::id<GatewayId>(1).uuid();
const auto kB = test::id<GatewayId>(2).uuid();
const auto kC = test::id<GatewayId>(3).uuid();

class Flows : public ::testing::Test {
protected:
    static constexpr std::uint16_t kRemotePort = 80;

    static net::SocketAddress here(std::uint16_t port) { return {ip("100.64.0.1"), port}; }
    static net::SocketAddress there() { return {ip("10.0.0.5"), kRemotePort}; }

    void send(Bytes bytes, const Uuid& peer = kA) {
        const auto packet = packet::IpPacket::parse(bytes).value();
        EXPECT_TRUE(table.open(*outbound_flow(packet), {.id = peer, .owner = peer}, packet, now));
    }
    bool answer(Bytes bytes) {
        const auto packet = packet::IpPacket::parse(bytes).value();
        auto* flow = table.find(*inbound_flow(packet), now);
        return flow != nullptr && table.admit(*flow, packet, now);
    }
    static Bytes tcp(std::uint16_t port, std::uint8_t flags, bool is_answer = false) {
        return is_answer ? packet::make_tcp(there(), here(port), {.flags = flags}, {})
                         : packet::make_tcp(here(port), there(), {.flags = flags}, {});
    }
    void send_tcp(std::uint16_t port, std::uint8_t flags, const Uuid& peer = kA) { send(tcp(port, flags), peer); }
    bool answer_tcp(std::uint16_t port, std::uint8_t flags) { return answer(tcp(port, flags, true)); }
    void send_udp(std::uint16_t port, const Uuid& peer = kA) { send(packet::make_udp(here(port), there(), {}), peer); }
    bool answer_udp(std::uint16_t port) { return answer(packet::make_udp(there(), here(port), {})); }
    void ping(std::uint16_t id, const Uuid& peer = kA) {
        send(packet::make_icmp_echo_request(here(0).ip, there().ip, id, 1, {}), peer);
    }
    bool pong(std::uint16_t id) { return answer(packet::make_icmp_echo_reply(there().ip, here(0).ip, id, 1, {})); }
    void establish(std::uint16_t port, const Uuid& peer = kA) {
        send_tcp(port, kSyn, peer);
        EXPECT_TRUE(answer_tcp(port, kSyn | kAck));
        send_tcp(port, kAck, peer);
    }

    Instant now{1h};
    FlowTable table{{.total = 12, .per_peer = 8}, Rng::from_number(1)};
};

TEST_F(Flows, AreOpenedByTheClientAlone) {
    EXPECT_FALSE(answer_udp(1));
    send_udp(1);
    EXPECT_TRUE(answer_udp(1));
    EXPECT_FALSE(answer_udp(2));
    EXPECT_FALSE(answer_tcp(1, kAck));
    EXPECT_FALSE(answer(packet::make_udp({ip("10.0.0.6"), kRemotePort}, here(1), {}))) << "another host";
    EXPECT_FALSE(answer(packet::make_udp({ip("10.0.0.5"), 81}, here(1), {}))) << "another port";
    EXPECT_FALSE(answer(packet::make_udp(there(), {ip("100.64.0.2"), 1}, {}))) << "another client";
}

TEST_F(Flows, AreNotOpenedByPacketsThatCouldOnlyBeAnswers) {
    send_tcp(1, kSyn | kAck);
    EXPECT_FALSE(answer_tcp(1, kAck));
    send_tcp(1, kRst);
    EXPECT_FALSE(answer_tcp(1, kAck));
    send_tcp(1, kRst | kAck);
    EXPECT_FALSE(answer_tcp(1, kAck));
    EXPECT_EQ(table.size(), 0U);

    send_tcp(1, kAck);
    EXPECT_TRUE(answer_tcp(1, kAck)) << "a connection that was there before the table";
}

TEST_F(Flows, DoNotLetTheOtherEndConnectBack) {
    establish(1);
    EXPECT_FALSE(answer_tcp(1, kSyn));
    send_tcp(1, kFin | kAck);
    EXPECT_TRUE(answer_tcp(1, kFin | kAck));
    EXPECT_FALSE(answer_tcp(1, kSyn));

    send_tcp(2, kSyn);
    EXPECT_TRUE(answer_tcp(2, kSyn)) << "both open it at once (RFC 5382 REQ-2)";
}

TEST_F(Flows, EndAfterTheIdleTimeOfTheirKind) {
    const auto last_answer = [&](auto&& open, auto&& answer) {
        open();
        auto last = 0s;
        for (const auto idle : {59s, 60s, 62s, 239s, 240s, 242s, 299s, 300s, 302s, 7439s, 7440s, 7442s}) {
            table.forget_peer(kA);
            open();
            now += idle;
            last = answer() ? idle : last;
        }
        return last;
    };

    EXPECT_EQ(last_answer([&] { ping(1); }, [&] { return pong(1); }), 60s);
    EXPECT_EQ(last_answer([&] { send_tcp(1, kSyn); }, [&] { return answer_tcp(1, kSyn | kAck); }), 240s);
    EXPECT_EQ(last_answer([&] { send_udp(1); }, [&] { return answer_udp(1); }), 300s);
    EXPECT_EQ(last_answer([&] { establish(1); }, [&] { return answer_tcp(1, kAck); }), 7440s);
    EXPECT_EQ(last_answer(
                  [&] {
                      establish(1);
                      send_tcp(1, kFin | kAck);
                  },
                  [&] { return answer_tcp(1, kAck); }),
              7440s)
        << "half-closed";
    EXPECT_EQ(last_answer(
                  [&] {
                      establish(1);
                      send_tcp(1, kFin | kAck);
                      EXPECT_TRUE(answer_tcp(1, kFin | kAck));
                      send_tcp(1, kAck);
                  },
                  [&] { return answer_tcp(1, kAck); }),
              240s)
        << "closed";
    EXPECT_EQ(last_answer(
                  [&] {
                      establish(1);
                      send_tcp(1, kRst);
                  },
                  [&] { return answer_tcp(1, kAck); }),
              240s)
        << "reset";
}

TEST_F(Flows, SurviveAResetThatTheClientDoesNotBelieve) {
    establish(1);
    EXPECT_TRUE(answer_tcp(1, kRst));
    send_tcp(1, kAck);
    now += 2h;
    EXPECT_TRUE(answer_tcp(1, kAck));
}

TEST_F(Flows, StartAnewWithASyn) {
    establish(1);
    send_tcp(1, kSyn);
    now += 250s;
    EXPECT_FALSE(answer_tcp(1, kAck)) << "the new connection was never answered";
}

TEST_F(Flows, AreKeptBothByAnswersAndByRequests) {
    send_udp(1);
    for (int i = 0; i < 20; ++i) {
        now += 290s;
        EXPECT_TRUE(answer_udp(1)) << i;
    }
    for (int i = 0; i < 100; ++i) {
        now += 290s;
        send_udp(1);
    }
    EXPECT_TRUE(answer_udp(1));
}

TEST_F(Flows, EndWhenOnlyTheOtherEndGoesOn) {
    send_udp(1);
    const auto start = now;
    while (now - start < 7440s) {
        ASSERT_TRUE(answer_udp(1)) << "after " << (now - start) / 1s << " s";
        now += 60s;
    }
    now += 10s;
    EXPECT_FALSE(answer_udp(1));
}

TEST_F(Flows, BelongToThePeerThatTheyWereSentToLast) {
    send_udp(1, kA);
    auto bytes = packet::make_udp(here(1), there(), {});
    const auto key = *outbound_flow(packet::IpPacket::parse(bytes).value());
    EXPECT_EQ(FlowTable::peer_of(*table.find(key, now)), kA);
    send_udp(1, kB);
    EXPECT_EQ(FlowTable::peer_of(*table.find(key, now)), kB);
    EXPECT_EQ(table.size(), 1U);

    table.forget_peer(kA);
    EXPECT_TRUE(answer_udp(1));
    table.forget_peer(kB);
    EXPECT_FALSE(answer_udp(1));
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(Flows, AreListedUntilTheyExpire) {
    send_udp(1);
    ping(2);
    EXPECT_EQ(table.live(now).size(), 2U);
    now += 2min;
    ASSERT_EQ(table.live(now).size(), 1U);
    EXPECT_EQ(table.live(now)[0].client_value, 1);
    now += 10min;
    EXPECT_TRUE(table.live(now).empty());
}

TEST_F(Flows, AreJudgedOnceUntilSomethingChanges) {
    send_udp(1);
    auto bytes = packet::make_udp(here(1), there(), {});
    const auto key = *outbound_flow(packet::IpPacket::parse(bytes).value());
    EXPECT_TRUE(table.is_judged(*table.find(key, now)));
    table.invalidate();
    EXPECT_FALSE(table.is_judged(*table.find(key, now)));
    EXPECT_TRUE(answer_udp(1));
    EXPECT_FALSE(table.is_judged(*table.find(key, now))) << "an answer judges nothing";
    send_udp(1);
    EXPECT_TRUE(table.is_judged(*table.find(key, now)));
}

// --- Room ---

TEST_F(Flows, MakeRoomInTheOrderOfTheirWorth) {
    establish(1);
    establish(2);
    send_udp(3);
    ping(4);
    send_tcp(5, kSyn);
    ping(6);
    send_udp(7);
    send_tcp(8, kSyn);
    now += 2s;
    send_udp(3);  // used again
    auto next = [&, port = std::uint16_t{100}]() mutable { establish(port++); };

    next();
    EXPECT_FALSE(pong(4));
    EXPECT_TRUE(pong(6));
    next();
    EXPECT_FALSE(pong(6));
    next();
    EXPECT_FALSE(answer_tcp(5, kSyn | kAck));
    next();
    EXPECT_FALSE(answer_tcp(8, kSyn | kAck));
    next();
    EXPECT_FALSE(answer_udp(7));
    next();
    EXPECT_FALSE(answer_udp(3));
    next();
    EXPECT_FALSE(answer_tcp(1, kAck));
    EXPECT_TRUE(answer_tcp(2, kAck));
    EXPECT_EQ(table.size(), 8U);
}

TEST_F(Flows, GoFirstWhenTheyHaveExpired) {
    establish(1);
    send_udp(2);
    now += 280s;
    for (std::uint16_t id = 3; id <= 8; ++id) {
        ping(id);
    }
    now += 30s;
    ping(9);
    EXPECT_TRUE(pong(3));
    EXPECT_TRUE(pong(9));
    EXPECT_EQ(table.size(), 8U) << "the datagrams had expired";
}

TEST_F(Flows, OfOnePeerNeverPushOutThoseOfAnother) {
    establish(1, kA);
    send_udp(2, kA);
    ping(3, kA);
    for (std::uint16_t port = 100; port < 1000; ++port) {
        send_udp(port, kB);
        establish(port, kC);
    }

    EXPECT_TRUE(answer_tcp(1, kAck));
    EXPECT_TRUE(answer_udp(2));
    EXPECT_TRUE(pong(3));
    EXPECT_EQ(table.size(), 12U);
}

TEST_F(Flows, OfANewPeerFindRoomAtTheExpenseOfTheLargest) {
    for (std::uint16_t port = 1; port <= 8; ++port) {
        send_udp(port, kA);
    }
    for (std::uint16_t port = 11; port <= 14; ++port) {
        send_udp(port, kB);
    }
    ping(1, kC);
    EXPECT_TRUE(pong(1));
    EXPECT_FALSE(answer_udp(1));
    for (std::uint16_t port = 11; port <= 14; ++port) {
        EXPECT_TRUE(answer_udp(port)) << port;
    }
}

TEST(FlowTable, HoldsEvenIfEveryPeerHasOneFlow) {
    FlowTable table{{.total = 4, .per_peer = 4}, Rng::from_number(1)};
    const Instant now{1h};
    for (std::uint8_t number = 0; number < 100; ++number) {
        auto bytes = packet::make_udp({ip("100.64.0.1"), number}, {ip("10.0.0.5"), 80}, {});
        const auto packet = packet::IpPacket::parse(bytes).value();
        const auto peer = test::id<GatewayId>(number).uuid();
        EXPECT_TRUE(table.open(*outbound_flow(packet), {.id = peer, .owner = peer}, packet, now));
        EXPECT_NE(table.find(*outbound_flow(packet), now), nullptr);
        EXPECT_LE(table.size(), 4U);
    }
}

// --- Owners and speed ---

/// Clients of a gateway, each with an owner.
struct OwnedFlows {
    /// Sends the first datagram of a flow: whether it may.
    bool open(std::uint8_t peer, std::uint8_t owner, std::uint16_t port) {
        auto bytes = packet::make_udp({client(peer), port}, {ip("10.0.0.5"), 80}, {});
        const auto packet = packet::IpPacket::parse(bytes).value();
        return table.open(*outbound_flow(packet),
                          {.id = test::id<ClientId>(peer).uuid(), .owner = test::id<ResourceId>(owner).uuid()}, packet,
                          now);
    }
    bool has(std::uint8_t peer, std::uint16_t port) {
        auto bytes = packet::make_udp({client(peer), port}, {ip("10.0.0.5"), 80}, {});
        return table.find(*outbound_flow(packet::IpPacket::parse(bytes).value()), now) != nullptr;
    }
    static net::IpAddress client(std::uint8_t peer) { return ip("100.64.0." + std::to_string(peer)); }

    FlowTable::Limits limits;
    Instant now{1h};
    FlowTable table{limits, Rng::from_number(1)};
};

TEST(FlowOwners, OpenNoMoreWhereWhatIsThereIsKept) {
    OwnedFlows flows{.limits = {.total = 12, .per_peer = 4, .keeps_old = true}};
    for (std::uint16_t port = 1; port <= 4; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
    }
    EXPECT_FALSE(flows.open(1, 1, 5));
    EXPECT_TRUE(flows.has(1, 1)) << "a peer cannot have a flow forgotten";
    EXPECT_TRUE(flows.open(2, 1, 1)) << "others go on";

    flows.now += 3h;
    EXPECT_TRUE(flows.open(1, 1, 5)) << "what is over makes room";
}

TEST(FlowOwners, WithManyPeersPushOutNobodyElse) {
    OwnedFlows flows{.limits = {.total = 12, .per_peer = 8}};
    for (std::uint16_t port = 1; port <= 4; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
    }
    for (std::uint8_t peer = 2; peer < 50; ++peer) {
        EXPECT_TRUE(flows.open(peer, 2, 1));
        EXPECT_TRUE(flows.has(peer, 1)) << "the newest finds room";
    }
    for (std::uint16_t port = 1; port <= 4; ++port) {
        EXPECT_TRUE(flows.has(1, port)) << port;
    }
    EXPECT_EQ(flows.table.size(), 12U);
}

TEST(FlowOwners, HaveNoMoreThanTheirShareOfARoomyTable) {
    OwnedFlows flows{.limits = {.total = 100, .per_peer = 8, .per_owner = 10}};
    for (std::uint16_t port = 1; port <= 8; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
    }
    for (std::uint16_t port = 1; port <= 4; ++port) {
        EXPECT_TRUE(flows.open(2, 1, port));
    }
    EXPECT_EQ(flows.table.size(), 10U);
    EXPECT_FALSE(flows.has(1, 1)) << "the peer with the most gives way";
    EXPECT_FALSE(flows.has(1, 2));
    EXPECT_TRUE(flows.has(2, 1));
    EXPECT_TRUE(flows.open(3, 2, 1));
    EXPECT_EQ(flows.table.size(), 11U);
}

TEST(FlowOwners, MakeMuchRoomAtOnceWhereOneOfTheirPeersHasFarTooMuch) {
    OwnedFlows flows{.limits = {.total = 1000, .per_peer = 1000, .per_owner = 300}};
    for (std::uint16_t port = 1; port <= 300; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
    }
    EXPECT_TRUE(flows.open(2, 1, 1));
    EXPECT_EQ(flows.table.size(), 301U - 64U) << "the next newcomers need no search for who has most";
    EXPECT_TRUE(flows.has(1, 300)) << "the oldest went";
    EXPECT_TRUE(flows.has(2, 1));
}

TEST(FlowOwners, DoNotFallBelowAShareWhenMuchRoomIsMadeForOthers) {
    OwnedFlows flows{.limits = {.total = 300, .per_peer = 300}};
    for (std::uint16_t port = 1; port <= 150; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
        EXPECT_TRUE(flows.open(2, 2, port));
    }
    EXPECT_TRUE(flows.open(3, 3, 1));
    EXPECT_EQ(flows.table.size(), 300U + 1U - 50U) << "one of the two has a third of the table left";
}

TEST(FlowOwners, TakeTheirPeersAlong) {
    OwnedFlows flows{.limits = {.total = 100, .per_peer = 8, .per_owner = 4}};
    for (std::uint16_t port = 1; port <= 3; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
        EXPECT_TRUE(flows.open(2, 2, port));
    }
    EXPECT_TRUE(flows.open(1, 2, 4)) << "the first peer is the second's now";
    EXPECT_EQ(flows.table.size(), 4U + 2U) << "one of theirs went for the newcomer, the rest as further ones come";
    EXPECT_TRUE(flows.open(3, 1, 1));
    EXPECT_TRUE(flows.has(3, 1)) << "the first owner has nothing left";
}

TEST(FlowSpeed, IsAsFastAsItLikesForABurstAndThenLimited) {
    OwnedFlows flows{.limits = {.total = 1000, .per_peer = 1000, .interval = 10ms, .burst = 20}};
    std::uint16_t port = 0;
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(flows.open(1, 1, ++port)) << i;
    }
    EXPECT_FALSE(flows.open(1, 1, ++port));
    EXPECT_TRUE(flows.open(1, 1, 7)) << "a flow that is open already goes on";
    EXPECT_TRUE(flows.open(2, 1, 1)) << "each peer has its own";
    int opened = 0;
    for (int i = 0; i < 1000; ++i) {
        flows.now += 1ms;
        opened += flows.open(1, 1, ++port) ? 1 : 0;
    }
    EXPECT_EQ(opened, 100);
    flows.now += 200ms;
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(flows.open(1, 1, ++port)) << "rested: " << i;
    }
}

TEST(FlowSpeed, IsRememberedAfterAllFlowsAreGone) {
    OwnedFlows flows{.limits = {.total = 1000, .per_peer = 1000, .interval = 10ms, .burst = 20}};
    for (std::uint16_t port = 1; port <= 20; ++port) {
        EXPECT_TRUE(flows.open(1, 1, port));
    }
    flows.table.forget_peer(test::id<ClientId>(1).uuid());
    EXPECT_EQ(flows.table.size(), 0U);
    EXPECT_TRUE(flows.open(2, 2, 1));
    EXPECT_FALSE(flows.open(1, 1, 21)) << "who says goodbye and comes again is no other";
    flows.now += 1s;
    EXPECT_TRUE(flows.open(3, 3, 1));
    EXPECT_TRUE(flows.open(1, 1, 21));
}

/// The dumbest table: datagrams and echoes only.
class Model {
public:
    struct Entry {
        FlowKey key;
        Uuid peer;
        Instant used;
        Instant sent;
    };

    Entry* find(const FlowKey& key, Instant now) {
        std::erase_if(entries, [&](const Entry& entry) { return entry.key == key && is_expired(entry, now); });
        const auto found = std::ranges::find(entries, key, &Entry::key);
        return found == entries.end() ? nullptr : &*found;
    }
    static bool is_expired(const Entry& entry, Instant now) {
        return now - entry.used > (entry.key.protocol == 1 ? kEchoIdleTime : kDatagramIdleTime) + 1s ||
               now - entry.sent > kEstablishedTcpIdleTime + 1s;
    }

    std::vector<Entry> entries;
};

TEST(FlowTable, FindsWhatADumbListFindsWhileThereIsRoom) {
    auto rng = Rng::from_number(5);
    FlowTable table{{.total = 100'000, .per_peer = 100'000}, rng.fork()};
    Model model;
    Instant now{1h};
    std::size_t found = 0;
    for (int i = 0; i < 20'000; ++i) {
        now += std::chrono::seconds{1 + rng.below(3)};
        const auto port = static_cast<std::uint16_t>(rng.below(100));
        const auto host = ip(rng.below(2) == 0 ? "10.0.0.5" : "10.0.0.6");
        const auto client = ip("100.64.0.1");
        const bool is_echo = rng.below(4) == 0;
        auto request = is_echo ? packet::make_icmp_echo_request(client, host, port, 1, {})
                               : packet::make_udp({client, port}, {host, 80}, {});
        auto reply = is_echo ? packet::make_icmp_echo_reply(host, client, port, 1, {})
                             : packet::make_udp({host, 80}, {client, port}, {});
        const auto sent = packet::IpPacket::parse(request).value();
        const auto received = packet::IpPacket::parse(reply).value();
        const auto key = *outbound_flow(sent);
        const auto& peer = rng.below(2) == 0 ? kA : kB;
        auto* expected = model.find(key, now);
        switch (rng.below(3)) {
            case 0:
                if (expected == nullptr) {
                    model.entries.push_back({key, peer, now, now});
                } else {
                    *expected = {key, peer, now, now};
                }
                ASSERT_TRUE(table.open(key, {.id = peer, .owner = peer}, sent, now));
                break;
            default: {
                auto* flow = table.find(key, now);
                ASSERT_EQ(flow != nullptr, expected != nullptr) << "step " << i;
                if (flow != nullptr) {
                    ++found;
                    ASSERT_EQ(FlowTable::peer_of(*flow), expected->peer);
                    ASSERT_TRUE(table.admit(*flow, received, now));
                    expected->used = now;
                }
                break;
            }
        }
        if (rng.below(2000) == 0) {
            table.forget_peer(kA);
            std::erase_if(model.entries, [](const Model::Entry& entry) { return entry.peer == kA; });
        }
    }
    EXPECT_GT(found, 1000U);
}

}  // namespace
}  // namespace culvert::tunnel
