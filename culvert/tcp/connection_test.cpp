// One connection and a peer that is driven by hand: what RFC 9293 and RFC 5961 say about single segments.

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/tcp/endpoints.h"
#include "culvert/tcp/testing/remote_end.h"

namespace culvert::tcp {
namespace {

using namespace std::chrono_literals;
using packet::kTcpAck;
using packet::kTcpFin;
using packet::kTcpPsh;
using packet::kTcpRst;
using packet::kTcpSyn;
using test::RemoteEnd;
using test::socket;

const auto kListener = socket("100.100.111.1:53");
const auto kPeer = socket("100.64.0.1:40000");

ByteSpan text(std::string_view text) {
    return as_bytes(text);
}

class ConnectionTest : public ::testing::Test {
protected:
    void SetUp() override { endpoints.listen(kListener); }

    std::vector<Signal> signals() {
        std::vector<Signal> all;
        while (const auto event = endpoints.poll_event()) {
            id = event->connection;
            all.push_back(event->signal);
        }
        return all;
    }

    /// The peer connects; afterwards `ours` and `theirs` are the next numbers of both.
    void establish(std::uint32_t peer_initial = 1000) {
        theirs = Sequence{peer_initial};
        peer.send({.sequence = theirs, .flags = kTcpSyn, .max_segment_size = std::uint16_t{1240}}, now);
        const auto answer = peer.receive();
        ASSERT_TRUE(answer && answer->flags == (kTcpSyn | kTcpAck));
        theirs += 1;
        ours = answer->sequence + 1;
        say({}, kTcpAck);
        ASSERT_EQ(signals(), std::vector{Signal::kOpened});
        peer.expect_silence();
    }

    /// From the peer, at the place where its stream is.
    void say(ByteSpan payload, std::uint8_t flags = kTcpAck | kTcpPsh) {
        peer.send({.sequence = theirs, .acknowledgement = ours, .flags = flags, .payload = payload}, now);
        theirs += payload.size() + ((flags & kTcpFin) != 0 ? 1 : 0);
    }
    void say_at(Sequence at, ByteSpan payload, std::uint8_t flags = kTcpAck) {
        peer.send({.sequence = at, .acknowledgement = ours, .flags = flags, .payload = payload}, now);
    }

    void expect_acknowledgement(Sequence of) {
        const auto segment = peer.receive();
        ASSERT_TRUE(segment.has_value());
        EXPECT_EQ(segment->flags, kTcpAck);
        EXPECT_TRUE(segment->payload.empty());
        EXPECT_EQ(segment->acknowledgement, of);
    }
    std::string read() {
        const auto readable = endpoints.readable(id);
        std::string result{as_text(readable)};
        endpoints.consume(id, readable.size(), now);
        return result;
    }
    void wait_for_timeout() {
        ASSERT_TRUE(endpoints.poll_timeout().has_value());
        now = std::max(now, *endpoints.poll_timeout());
        endpoints.handle_timeout(now);
    }
    void drain_packets() {
        while (peer.receive()) {
        }
    }

    Instant now = Instant{} + 1h;
    Endpoints endpoints{{}, Rng::from_number(1)};
    RemoteEnd peer{endpoints, {kPeer, kListener}};
    ConnectionId id;
    Sequence theirs;
    Sequence ours;
};

// --- Opening ---

TEST_F(ConnectionTest, SaysWhatSegmentsItTakes) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn}, now);

    const auto answer = peer.receive();

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->acknowledgement, Sequence{6});
    EXPECT_EQ(answer->max_segment_size, 1240);
    EXPECT_EQ(answer->window, 65535);
}

TEST_F(ConnectionTest, AnnouncesSmallerSegmentsForIpv6) {
    const auto listener = socket("[fd00:2021:1111:8000:100:100:111:0]:53");
    endpoints.listen(listener);
    RemoteEnd other{endpoints, {socket("[fd00:2021:1111::1]:4000"), listener}};

    other.send({.flags = kTcpSyn}, now);

    EXPECT_EQ(other.receive()->max_segment_size, 1220);
}

TEST_F(ConnectionTest, DoesNotExistForItsUserUntilThePeerConfirmedIt) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn}, now);
    EXPECT_EQ(signals(), std::vector<Signal>{});

    for (int i = 0; i < 10 && endpoints.poll_timeout(); ++i) {
        wait_for_timeout();
    }

    EXPECT_EQ(signals(), std::vector<Signal>{});
    EXPECT_EQ(endpoints.size(), 0U);
}

TEST_F(ConnectionTest, RepeatsItsAnswerToASynWithGrowingGaps) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn}, now);
    const auto first = peer.receive();
    const auto asked_at = now;

    wait_for_timeout();
    const auto second = peer.receive();
    const auto repeated_at = now;
    wait_for_timeout();

    EXPECT_EQ(repeated_at - asked_at, 700ms);
    EXPECT_EQ(now - repeated_at, 1400ms);
    EXPECT_EQ(second->sequence, first->sequence);
    EXPECT_EQ(second->flags, first->flags);
}

TEST_F(ConnectionTest, RefusesAnAcknowledgementOfWhatItNeverSent) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn}, now);
    const auto answer = peer.receive();

    peer.send({.sequence = Sequence{6}, .acknowledgement = answer->sequence + 2, .flags = kTcpAck}, now);

    const auto refusal = peer.receive();
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->flags, kTcpRst);
    EXPECT_EQ(refusal->sequence, answer->sequence + 2);
    EXPECT_EQ(signals(), std::vector<Signal>{});
}

TEST_F(ConnectionTest, IgnoresDataInASynUntilItIsRepeated) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn, .payload = text("early")}, now);
    const auto answer = peer.receive();
    EXPECT_EQ(answer->acknowledgement, Sequence{6});

    peer.send(
        {.sequence = Sequence{6}, .acknowledgement = answer->sequence + 1, .flags = kTcpAck, .payload = text("early")},
        now);

    EXPECT_EQ(signals(), (std::vector{Signal::kOpened, Signal::kReadable}));
    EXPECT_EQ(read(), "early");
}

TEST_F(ConnectionTest, NeedsNoMoreThanASegmentToConfirmSpeakAndFinish) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn}, now);
    const auto answer = peer.receive();

    peer.send({.sequence = Sequence{6},
               .acknowledgement = answer->sequence + 1,
               .flags = kTcpAck | kTcpFin,
               .payload = text("all")},
              now);

    EXPECT_EQ(signals(), (std::vector{Signal::kOpened, Signal::kReadable, Signal::kPeerClosed}));
    EXPECT_EQ(read(), "all");
    expect_acknowledgement(Sequence{6 + 3 + 1});
}

TEST_F(ConnectionTest, OpensNothingForASynWithFinOrRst) {
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn | kTcpFin}, now);
    EXPECT_TRUE(peer.receive()->has(kTcpRst));
    peer.send({.sequence = Sequence{5}, .flags = kTcpSyn | kTcpRst}, now);
    peer.expect_silence();

    EXPECT_EQ(endpoints.size(), 0U);
}

// --- Asking for a connection ---

class ActiveConnectionTest : public ConnectionTest {
protected:
    void SetUp() override {
        connection = endpoints.connect(kLocal, kServer, now).value();
        server = {endpoints, {kServer, endpoints.route(connection)->local}};
        const auto syn = server.receive();
        ASSERT_TRUE(syn && syn->flags == kTcpSyn);
        initial = syn->sequence;
    }

    const net::IpAddress kLocal = socket("100.64.0.1:0").ip;
    const net::SocketAddress kServer = socket("10.0.0.53:53");
    RemoteEnd server{endpoints, {}};
    ConnectionId connection;
    Sequence initial;
};

TEST_F(ActiveConnectionTest, OpensOnceTheServerAgrees) {
    server.send({.sequence = Sequence{9}, .acknowledgement = initial + 1, .flags = kTcpSyn | kTcpAck}, now);

    const auto confirmation = server.receive();
    ASSERT_TRUE(confirmation.has_value());
    EXPECT_EQ(confirmation->flags, kTcpAck);
    EXPECT_EQ(confirmation->acknowledgement, Sequence{10});
    EXPECT_EQ(signals(), std::vector{Signal::kOpened});
}

TEST_F(ActiveConnectionTest, SendsWhatWasWrittenBeforeWithItsConfirmation) {
    EXPECT_TRUE(endpoints.write(connection, text("question"), now));
    server.expect_silence();

    server.send({.sequence = Sequence{9}, .acknowledgement = initial + 1, .flags = kTcpSyn | kTcpAck}, now);

    const auto confirmation = server.receive();
    EXPECT_EQ(as_text(confirmation->payload), "question");
    EXPECT_EQ(confirmation->acknowledgement, Sequence{10});
    server.expect_silence();
}

TEST_F(ActiveConnectionTest, IsRefusedByARstForItsSynOnly) {
    server.send({.sequence = Sequence{0}, .acknowledgement = initial + 7, .flags = kTcpRst | kTcpAck}, now);
    server.send({.sequence = Sequence{0}, .flags = kTcpRst}, now);
    EXPECT_EQ(signals(), std::vector<Signal>{});

    server.send({.sequence = Sequence{0}, .acknowledgement = initial + 1, .flags = kTcpRst | kTcpAck}, now);

    EXPECT_EQ(signals(), std::vector{Signal::kRefused});
    EXPECT_FALSE(endpoints.exists(connection));
}

TEST_F(ActiveConnectionTest, TellsAServerThatAnswersAnotherConnection) {
    server.send({.sequence = Sequence{9}, .acknowledgement = initial + 5, .flags = kTcpSyn | kTcpAck}, now);

    const auto refusal = server.receive();
    EXPECT_EQ(refusal->flags, kTcpRst);
    EXPECT_EQ(refusal->sequence, initial + 5);
    EXPECT_TRUE(endpoints.exists(connection));
}

TEST_F(ActiveConnectionTest, TimesOutIfNobodyAnswers) {
    const auto started_at = now;
    while (endpoints.exists(connection)) {
        wait_for_timeout();
    }

    EXPECT_EQ(signals(), std::vector{Signal::kTimedOut});
    EXPECT_EQ(now - started_at, kHandshakeTime);
}

TEST_F(ActiveConnectionTest, OpensWhereBothAskAtTheSameTime) {
    server.send({.sequence = Sequence{9}, .flags = kTcpSyn}, now);
    const auto answer = server.receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->flags, kTcpSyn | kTcpAck);
    EXPECT_EQ(answer->sequence, initial);
    EXPECT_EQ(answer->acknowledgement, Sequence{10});

    server.send({.sequence = Sequence{10}, .acknowledgement = initial + 1, .flags = kTcpAck}, now);

    EXPECT_EQ(signals(), std::vector{Signal::kOpened});
}

TEST_F(ActiveConnectionTest, BelievesARouterOnlyAboutItsSyn) {
    const auto complain = [&](Sequence about) {
        auto original = make_packet({server.route().remote, kServer}, {.sequence = about, .flags = kTcpSyn});
        auto error =
            *packet::make_icmp_error(packet::IcmpErrorKind::kUnreachable, packet::IpPacket::parse(original).value());
        const auto parsed = packet::IpPacket::parse(error).value();
        return endpoints.handle_icmp_error(**packet::inspect_icmp_error(parsed), now);
    };
    EXPECT_TRUE(complain(initial + 1));
    EXPECT_TRUE(endpoints.exists(connection));

    EXPECT_TRUE(complain(initial));

    EXPECT_EQ(signals(), std::vector{Signal::kUnreachable});
    EXPECT_FALSE(complain(initial)) << "nobody's now";
}

TEST_F(ActiveConnectionTest, SurvivesARouterOnceItIsOpen) {
    server.send({.sequence = Sequence{9}, .acknowledgement = initial + 1, .flags = kTcpSyn | kTcpAck}, now);
    auto original = make_packet({server.route().remote, kServer}, {.sequence = initial, .flags = kTcpSyn});
    auto error =
        *packet::make_icmp_error(packet::IcmpErrorKind::kUnreachable, packet::IpPacket::parse(original).value());

    endpoints.handle_icmp_error(**packet::inspect_icmp_error(packet::IpPacket::parse(error).value()), now);

    EXPECT_TRUE(endpoints.exists(connection));
}

TEST_F(ActiveConnectionTest, DeliversWhatWasWrittenBeforeItWasClosed) {
    EXPECT_TRUE(endpoints.write(connection, text("all"), now));
    endpoints.close(connection, now);

    server.send({.sequence = Sequence{9}, .acknowledgement = initial + 1, .flags = kTcpSyn | kTcpAck}, now);

    const auto all = server.receive();
    EXPECT_EQ(as_text(all->payload), "all");
    EXPECT_TRUE(all->has(kTcpFin));
}

TEST_F(ActiveConnectionTest, GoesAwayWithoutAWordIfItsUserLosesInterest) {
    endpoints.abort(connection, now);

    EXPECT_FALSE(endpoints.exists(connection));
    EXPECT_EQ(signals(), std::vector<Signal>{});
    server.expect_silence();
}

// --- Receiving ---

TEST_F(ConnectionTest, AcknowledgesOneSegmentLaterAndTwoAtOnce) {
    establish();
    say(text("one"));
    peer.expect_silence();
    wait_for_timeout();
    expect_acknowledgement(theirs);

    say(text("two"));
    say(text("three"));

    expect_acknowledgement(theirs);
    EXPECT_EQ(read(), "onetwothree");
}

TEST_F(ConnectionTest, AcknowledgesWithWhatItHasToSay) {
    establish();
    say(text("question"));

    EXPECT_TRUE(endpoints.write(id, text("answer"), now));

    const auto answer = peer.receive();
    EXPECT_EQ(as_text(answer->payload), "answer");
    EXPECT_EQ(answer->acknowledgement, theirs);
    EXPECT_EQ(answer->flags, kTcpAck | kTcpPsh);
    peer.expect_silence();
}

TEST_F(ConnectionTest, ReadsEachByteOnceWhateverOverlaps) {
    establish();
    const auto start = theirs;
    say_at(start, text("abcd"));
    say_at(start, text("abcd"));
    say_at(start + 2, text("cdef"));
    say_at(start, text("abcdefgh"));
    say_at(start + 1, text("bc"));

    EXPECT_EQ(read(), "abcdefgh");
}

TEST_F(ConnectionTest, AsksAgainForWhatIsMissing) {
    establish();
    const auto start = theirs;

    say_at(start + 4, text("efgh"));

    expect_acknowledgement(start);
    EXPECT_EQ(read(), "");
    say_at(start, text("abcd"));
    say_at(start + 4, text("efgh"));
    EXPECT_EQ(read(), "abcdefgh");
}

TEST_F(ConnectionTest, GoesOnWhereSequenceNumbersWrap) {
    establish(0xfffffffc);
    say(text("0123456789"));
    say(text("abc"));

    EXPECT_EQ(read(), "0123456789abc");
    expect_acknowledgement(Sequence{10});
}

TEST_F(ConnectionTest, TakesNoMoreThanItHasRoomFor) {
    establish();
    Bytes much(60'000, std::byte{'x'});
    say(much);
    say(Bytes(5'534, std::byte{'y'}));
    drain_packets();

    say_at(theirs, text("zz"));  // one fits

    const auto full = peer.receive();
    ASSERT_TRUE(full.has_value());
    EXPECT_EQ(full->window, 0);
    EXPECT_EQ(endpoints.readable(id).size(), 65'535U);
    theirs += 1;

    say_at(theirs, text("z"));
    EXPECT_EQ(peer.receive()->acknowledgement, theirs) << "a probe is answered";
    EXPECT_EQ(read().size(), 65'535U);
    const auto reopened = peer.receive();
    ASSERT_TRUE(reopened.has_value()) << "whoever waits is told";
    EXPECT_EQ(reopened->window, 65'535);
    say(text("z"));
    EXPECT_EQ(read(), "z");
}

TEST_F(ConnectionTest, TellsOfRoomOnlyIfItIsWorthASegment) {
    establish();
    say(Bytes(60'000));
    say(Bytes(5'535));
    drain_packets();

    endpoints.consume(id, 1000, now);
    peer.expect_silence();
    endpoints.consume(id, 1000, now);

    EXPECT_EQ(peer.receive()->window, 2000);
}

TEST_F(ConnectionTest, NeverTakesBackWhatItOffered) {
    establish();
    const auto edge = theirs + 65'535;
    for (int i = 0; i < 60; ++i) {
        say(Bytes(1000));
        while (const auto segment = peer.receive()) {
            EXPECT_GE(segment->acknowledgement + segment->window, edge);
        }
        if (i % 7 == 0) {
            endpoints.consume(id, 900, now);
        }
    }
}

TEST_F(ConnectionTest, HearsAcknowledgementsThoughItHasNoRoom) {
    establish();
    say(Bytes(60'000));
    say(Bytes(5'535));
    drain_packets();
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    ours += 6;

    say_at(theirs, text("probe"));

    EXPECT_EQ(endpoints.unacknowledged(id), 0U);
}

// --- Blind attacks (RFC 5961) ---

TEST_F(ConnectionTest, ARstCountsOnlyIfItIsExactlyNext) {
    establish();
    say_at(theirs - 1, {}, kTcpRst);
    peer.expect_silence();
    EXPECT_TRUE(endpoints.exists(id));
    say_at(theirs + 65'535, {}, kTcpRst);
    peer.expect_silence();
    EXPECT_TRUE(endpoints.exists(id));

    say_at(theirs + 1, {}, kTcpRst);
    expect_acknowledgement(theirs);
    EXPECT_TRUE(endpoints.exists(id));

    say_at(theirs, {}, kTcpRst);
    EXPECT_EQ(signals(), std::vector{Signal::kReset});
    EXPECT_FALSE(endpoints.exists(id));
    peer.expect_silence();
}

TEST_F(ConnectionTest, ASynInsideAConnectionIsOnlyAnswered) {
    establish();
    say_at(theirs, {}, kTcpSyn);

    expect_acknowledgement(theirs);
    EXPECT_TRUE(endpoints.exists(id));
    EXPECT_EQ(signals(), std::vector<Signal>{});
}

TEST_F(ConnectionTest, DataWithAnImpossibleAcknowledgementIsNotRead) {
    establish();
    const auto honest = ours;
    ours = honest + 1;
    say_at(theirs, text("forged"));
    expect_acknowledgement(theirs);
    ours = honest - 70'000;
    say_at(theirs, text("forged"));

    EXPECT_EQ(read(), "");
}

TEST_F(ConnectionTest, DataWithoutAnAcknowledgementIsNotRead) {
    establish();
    say_at(theirs, text("strange"), 0);

    EXPECT_EQ(read(), "");
}

TEST_F(ConnectionTest, ChallengesAreRare) {
    establish();
    for (int i = 0; i < 100; ++i) {
        say_at(theirs, {}, kTcpSyn);
    }
    EXPECT_TRUE(peer.receive().has_value());
    peer.expect_silence();

    now += kChallengeInterval;
    say_at(theirs, {}, kTcpSyn);
    EXPECT_TRUE(peer.receive().has_value());
}

TEST_F(ConnectionTest, TwoEndsNeverAnswerEachOtherForEver) {
    establish();
    for (int i = 0; i < 100; ++i) {
        say_at(theirs - 1000, {}, kTcpAck);  // as an end would that believes to be elsewhere
    }

    EXPECT_TRUE(peer.receive().has_value());
    peer.expect_silence();
}

// --- Sending ---

TEST_F(ConnectionTest, CutsWhatIsWrittenIntoSegmentsOfThePeersSize) {
    establish();
    EXPECT_TRUE(endpoints.write(id, Bytes(3000), now));

    EXPECT_EQ(peer.receive()->payload.size(), 1240U);
    EXPECT_EQ(peer.receive()->payload.size(), 1240U);
    const auto last = peer.receive();
    EXPECT_EQ(last->payload.size(), 520U);
    EXPECT_TRUE(last->has(kTcpPsh));
}

TEST_F(ConnectionTest, SendsNoTinySegmentsHoweverLittleThePeerSaysItTakes) {
    peer.send({.sequence = theirs, .flags = kTcpSyn, .max_segment_size = std::uint16_t{1}}, now);
    const auto answer = peer.receive();
    ours = answer->sequence + 1;
    theirs += 1;
    say({}, kTcpAck);
    signals();

    EXPECT_TRUE(endpoints.write(id, Bytes(480), now));

    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(peer.receive()->payload.size(), 48U);
    }
    peer.expect_silence();
}

TEST_F(ConnectionTest, StaysWithinThePeersWindow) {
    establish();
    peer.send({.sequence = theirs, .acknowledgement = ours, .flags = kTcpAck, .window = 2000}, now);
    EXPECT_TRUE(endpoints.write(id, Bytes(5000), now));
    EXPECT_EQ(peer.receive()->payload.size(), 1240U);
    peer.expect_silence();  // 760 more would fit, and wait for more room

    ours += 1240;
    peer.send({.sequence = theirs, .acknowledgement = ours, .flags = kTcpAck, .window = 2480}, now);

    EXPECT_EQ(peer.receive()->sequence, ours);
    EXPECT_EQ(peer.receive()->sequence, ours + 1240);
    peer.expect_silence();
}

TEST_F(ConnectionTest, TakesAllOfWhatIsWrittenOrNothing) {
    establish();
    EXPECT_TRUE(endpoints.write(id, Bytes(65'537), now));
    EXPECT_FALSE(endpoints.write(id, Bytes(65'537), now));
    EXPECT_EQ(endpoints.room(id), kSendBuffer - 65'537);
}

TEST_F(ConnectionTest, RepeatsWhatIsNotAcknowledgedWithGrowingGaps) {
    establish();
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    drain_packets();
    std::vector<Duration> gaps;
    auto last = now;
    while (endpoints.exists(id)) {
        wait_for_timeout();
        if (const auto segment = peer.receive(); segment && segment->payload.size() == 6) {
            gaps.push_back(now - last);
            last = now;
        }
    }

    ASSERT_GE(gaps.size(), 5U);
    for (std::size_t i = 1; i < gaps.size(); ++i) {
        EXPECT_EQ(gaps[i], std::min<Duration>(gaps[i - 1] * 2, 10s));
    }
    EXPECT_EQ(signals(), std::vector{Signal::kTimedOut});
}

TEST_F(ConnectionTest, TellsItsPeerWhenItGivesUp) {
    establish();
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    std::optional<std::uint8_t> last;
    while (endpoints.exists(id)) {
        wait_for_timeout();
        while (const auto segment = peer.receive()) {
            last = segment->flags;
        }
    }

    EXPECT_EQ(last, kTcpRst | kTcpAck);
}

TEST_F(ConnectionTest, RepeatsAtOnceWhatThreeAcknowledgementsMiss) {
    establish();
    EXPECT_TRUE(endpoints.write(id, Bytes(6200), now));
    drain_packets();

    say_at(theirs, {});
    say_at(theirs, {});
    peer.expect_silence();
    say_at(theirs, {});

    const auto again = peer.receive();
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->sequence, ours);
    EXPECT_EQ(again->payload.size(), 1240U);
}

TEST_F(ConnectionTest, AsksNowAndThenWhetherThereIsRoomAgain) {
    establish();
    peer.say_zero_window(true);
    peer.send({.sequence = theirs, .acknowledgement = ours, .flags = kTcpAck, .window = 0}, now);
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    peer.expect_silence();

    wait_for_timeout();
    const auto probe = peer.receive();
    ASSERT_TRUE(probe.has_value());
    EXPECT_EQ(probe->sequence, ours);
    EXPECT_EQ(as_text(probe->payload), "a");
    peer.send({.sequence = theirs, .acknowledgement = ours, .flags = kTcpAck, .window = 0}, now);
    wait_for_timeout();
    EXPECT_EQ(as_text(peer.receive()->payload), "a");

    peer.say_zero_window(false);
    ours += 1;
    say({}, kTcpAck);

    EXPECT_EQ(as_text(peer.receive()->payload), "nswer");
}

TEST_F(ConnectionTest, GivesUpOnAPeerThatNeverHasRoom) {
    establish();
    peer.say_zero_window(true);
    const auto refuse = [&] {
        peer.send({.sequence = theirs, .acknowledgement = ours, .flags = kTcpAck, .window = 0}, now);
    };
    refuse();
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    const auto started_at = now;

    while (endpoints.exists(id)) {
        wait_for_timeout();
        drain_packets();
        if (endpoints.exists(id)) {
            refuse();
        }
    }

    EXPECT_EQ(now - started_at, kStallTime);
    EXPECT_EQ(signals(), std::vector{Signal::kTimedOut});
}

TEST_F(ConnectionTest, SaysWhenAllHasArrived) {
    establish();
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    ours += 3;
    say({}, kTcpAck);
    EXPECT_EQ(signals(), std::vector<Signal>{});

    ours += 3;
    say({}, kTcpAck);

    EXPECT_EQ(signals(), std::vector{Signal::kDrained});
}

// --- Closing ---

TEST_F(ConnectionTest, AnswersAPeerThatFinishedFirst) {
    establish();
    say(text("question"), kTcpAck | kTcpFin);
    EXPECT_EQ(signals(), (std::vector{Signal::kReadable, Signal::kPeerClosed}));
    expect_acknowledgement(theirs);

    EXPECT_EQ(read(), "question");
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    endpoints.close(id, now);
    EXPECT_EQ(as_text(peer.receive()->payload), "answer");
    EXPECT_EQ(peer.receive()->flags, kTcpAck | kTcpFin | kTcpPsh);
    ours += 7;
    say_at(theirs, {});

    EXPECT_EQ(signals(), std::vector{Signal::kClosed});
    EXPECT_EQ(endpoints.size(), 0U);
}

TEST_F(ConnectionTest, IsThereUntilWhatArrivedIsRead) {
    establish();
    say(text("question"), kTcpAck | kTcpFin);
    endpoints.close(id, now);
    ours += 1;
    say_at(theirs, {});

    EXPECT_EQ(signals(), (std::vector{Signal::kReadable, Signal::kPeerClosed, Signal::kClosed}));
    EXPECT_EQ(read(), "question");
}

TEST_F(ConnectionTest, WaitsAWhileAfterFinishingFirst) {
    establish();
    endpoints.close(id, now);
    EXPECT_TRUE(peer.receive()->has(kTcpFin));
    ours += 1;
    say(text("more"), kTcpAck);
    EXPECT_EQ(signals(), std::vector{Signal::kReadable});
    EXPECT_EQ(read(), "more") << "the peer has not finished";

    say({}, kTcpAck | kTcpFin);
    expect_acknowledgement(theirs);
    EXPECT_EQ(signals(), (std::vector{Signal::kPeerClosed, Signal::kClosed}));
    EXPECT_EQ(endpoints.size(), 1U);

    theirs = theirs - 1;
    now += 5s;
    say({}, kTcpAck | kTcpFin);
    expect_acknowledgement(theirs);
    wait_for_timeout();

    EXPECT_EQ(endpoints.size(), 0U);
    EXPECT_EQ(now, Instant{} + 1h + 15s);
}

TEST_F(ConnectionTest, EndsWhereBothFinishAtTheSameTime) {
    establish();
    endpoints.close(id, now);
    EXPECT_TRUE(peer.receive()->has(kTcpFin));
    say({}, kTcpAck | kTcpFin);
    expect_acknowledgement(theirs);

    ours += 1;
    say_at(theirs, {});

    EXPECT_EQ(signals(), (std::vector{Signal::kPeerClosed, Signal::kClosed}));
    EXPECT_EQ(endpoints.size(), 1U);
}

TEST_F(ConnectionTest, RepeatsAFinThatIsNotAcknowledged) {
    establish();
    endpoints.close(id, now);
    EXPECT_TRUE(peer.receive()->has(kTcpFin));

    wait_for_timeout();

    const auto again = peer.receive();
    EXPECT_TRUE(again->has(kTcpFin));
    EXPECT_EQ(again->sequence, ours);
}

TEST_F(ConnectionTest, DoesNotWaitForeverForThePeerToFinish) {
    establish();
    endpoints.close(id, now);
    ours += 1;
    say_at(theirs, {});
    drain_packets();

    while (endpoints.exists(id)) {
        wait_for_timeout();
    }

    EXPECT_EQ(now, Instant{} + 1h + kFinWaitTime);
    EXPECT_EQ(signals(), std::vector{Signal::kTimedOut});
    EXPECT_TRUE(peer.receive()->has(kTcpRst));
}

TEST_F(ConnectionTest, IgnoresARstAfterTheEnd) {
    establish();
    endpoints.close(id, now);
    ours += 1;
    say({}, kTcpAck | kTcpFin);
    signals();

    say_at(theirs, {}, kTcpRst);

    EXPECT_EQ(endpoints.size(), 1U);
    EXPECT_EQ(signals(), std::vector<Signal>{});
}

TEST_F(ConnectionTest, ReadsNothingBehindAFin) {
    establish();
    say(text("last"), kTcpAck | kTcpFin);
    say(text("more"));

    EXPECT_EQ(read(), "last");
}

TEST_F(ConnectionTest, AbortsWithARst) {
    establish();
    EXPECT_TRUE(endpoints.write(id, text("answer"), now));
    drain_packets();

    endpoints.abort(id, now);

    const auto reset = peer.receive();
    EXPECT_EQ(reset->flags, kTcpRst | kTcpAck);
    EXPECT_EQ(reset->sequence, ours + 6);
    EXPECT_EQ(signals(), std::vector<Signal>{});
    EXPECT_FALSE(endpoints.exists(id));
}

TEST_F(ConnectionTest, IsWrittenToNoMoreOnceItCloses) {
    establish();
    endpoints.close(id, now);

    EXPECT_FALSE(endpoints.write(id, text("late"), now));
    EXPECT_EQ(endpoints.room(id), 0U);
}

// --- Idle ---

TEST_F(ConnectionTest, SaysWhenNobodyUsesIt) {
    establish();
    now += 20s;
    endpoints.restart_idle(id, now);
    say(text("x"));
    while (signals() != std::vector{Signal::kIdle}) {
        wait_for_timeout();
    }
    EXPECT_EQ(now, Instant{} + 1h + 50s) << "a byte is no use of it";
    EXPECT_TRUE(endpoints.exists(id));

    while (signals() != std::vector{Signal::kIdle}) {
        wait_for_timeout();
    }
    EXPECT_EQ(now, Instant{} + 1h + 80s);
}

}  // namespace
}  // namespace culvert::tcp
