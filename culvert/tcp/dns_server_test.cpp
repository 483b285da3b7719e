#include "culvert/tcp/dns_server.h"

#include <gtest/gtest.h>

#include "culvert/base/sans_io.h"
#include "culvert/tcp/testing/dns_text.h"

namespace culvert::tcp {
namespace {

using namespace std::chrono_literals;
using test::dns_message;

static_assert(SansIo<DnsServer>);

const auto kSentinel = net::SocketAddress::parse("100.100.111.1:53").value();
const auto kOtherSentinel = net::SocketAddress::parse("100.100.111.2:53").value();
const auto kClient = net::IpAddress::parse("100.64.0.1").value();

/// Programs of the client's machine, which have connections of Endpoints, and the server.
class DnsServerTest : public ::testing::Test {
protected:
    void SetUp() override { server.set_addresses({kSentinel, kOtherSentinel}, now); }

    /// Until nothing is on its way.
    void exchange() {
        for (bool is_moving = true; is_moving;) {
            is_moving = false;
            while (auto packet = programs.poll_transmit()) {
                server.handle_packet(packet::IpPacket::parse(*packet).value(), Checksums::kVerify, now);
                is_moving = true;
            }
            while (auto packet = server.poll_transmit()) {
                programs.handle_packet(packet::IpPacket::parse(*packet).value(), Checksums::kVerify, now);
                is_moving = true;
            }
            while (const auto event = programs.poll_event()) {
                last_signal[event->connection] = event->signal;
            }
        }
    }
    void pass(Duration time) {
        const auto end = now + time;
        while (true) {
            exchange();
            const auto next = earliest(server.poll_timeout(), programs.poll_timeout());
            if (!next || *next > end) {
                break;
            }
            now = std::max(now, *next);
            server.handle_timeout(now);
            programs.handle_timeout(now);
        }
        now = end;
    }
    ConnectionId connect(const net::SocketAddress& to = kSentinel) {
        const auto id = programs.connect(kClient, to, now).value();
        exchange();
        return id;
    }
    void say(ConnectionId id, ByteSpan bytes) {
        EXPECT_TRUE(programs.write(id, bytes, now));
        exchange();
    }
    std::vector<Bytes> heard(ConnectionId id) {
        exchange();
        std::vector<Bytes> messages;
        while (!programs.readable(id).empty()) {
            std::size_t taken = 0;
            if (auto message = readers[id].read(programs.readable(id), taken)) {
                messages.push_back(std::move(*message));
            }
            programs.consume(id, taken, now);
            exchange();
        }
        return messages;
    }

    Instant now = Instant{} + 1h;
    DnsServer server{Rng::from_number(1)};
    Endpoints programs{{.connections = 100}, Rng::from_number(2)};
    std::map<ConnectionId, MessageReader> readers;
    std::map<ConnectionId, Signal> last_signal;
    const Bytes query = dns_message(7, "wiki.corp.example", false);
    const Bytes answer = dns_message(7, "wiki.corp.example", true);
};

TEST_F(DnsServerTest, HandsOutAQueryAndReturnsItsAnswer) {
    const auto id = connect();
    say(id, with_length(query));

    const auto asked = server.poll_query();
    ASSERT_TRUE(asked.has_value());
    EXPECT_EQ(asked->message, query);
    EXPECT_EQ(asked->sentinel, kSentinel);
    EXPECT_EQ(asked->client, programs.route(id)->local);
    EXPECT_FALSE(server.poll_query().has_value());

    server.respond(asked->connection, answer, now);

    EXPECT_EQ(heard(id), std::vector<Bytes>{answer});
    EXPECT_EQ(server.connections(), 1U) << "the next one may come";
}

TEST_F(DnsServerTest, ReadsPipelinedQueriesAndAnswersInAnyOrder) {
    const auto id = connect();
    Bytes stream;
    for (std::uint16_t i = 0; i < 4; ++i) {
        append(stream, with_length(dns_message(i, "a.example", false)));
    }
    say(id, stream);
    std::vector<ConnectionId> from;
    while (const auto asked = server.poll_query()) {
        from.push_back(asked->connection);
    }
    ASSERT_EQ(from.size(), 4U);

    for (const auto i : std::array<std::uint16_t, 4>{2, 0, 3, 1}) {
        server.respond(from[0], dns_message(i, "a.example", true), now);
    }

    const auto answers = heard(id);
    ASSERT_EQ(answers.size(), 4U);
    EXPECT_EQ(load_be<std::uint16_t>(answers[0]), 2);
    EXPECT_EQ(load_be<std::uint16_t>(answers[3]), 1);
}

TEST_F(DnsServerTest, ReadsAQueryThatComesByteByByte) {
    const auto id = connect();
    for (const auto byte : with_length(query)) {
        EXPECT_FALSE(server.poll_query().has_value());
        say(id, ByteSpan{&byte, 1});
    }

    EXPECT_TRUE(server.poll_query().has_value());
}

TEST_F(DnsServerTest, SendsTheLongestAnswerThereIs) {
    const auto id = connect();
    say(id, with_length(query));
    auto longest = dns_message(7, "wiki.corp.example", true);
    longest.resize(65'535, std::byte{1});

    server.respond(server.poll_query()->connection, longest, now);

    EXPECT_EQ(heard(id), std::vector<Bytes>{longest});
}

TEST_F(DnsServerTest, IgnoresAnswersThatNobodyWaitsFor) {
    const auto id = connect();
    say(id, with_length(query));
    const auto connection = server.poll_query()->connection;

    server.respond(connection, dns_message(8, "wiki.corp.example", true), now);
    server.respond({12345}, answer, now);
    EXPECT_TRUE(heard(id).empty());
    server.respond(connection, answer, now);
    server.respond(connection, answer, now);

    EXPECT_EQ(heard(id).size(), 1U);
}

TEST_F(DnsServerTest, ResetsWhoSendsGarbage) {
    const auto id = connect();
    say(id, *from_hex("0003010203"));
    EXPECT_EQ(last_signal[id], Signal::kReset);

    const auto next = connect();
    say(next, with_length(query));
    server.reject(server.poll_query()->connection, now);
    exchange();

    EXPECT_EQ(last_signal[next], Signal::kReset);
    EXPECT_EQ(server.connections(), 0U);
}

TEST_F(DnsServerTest, AnswersWhoHasOnlyFinishedSending) {
    const auto id = connect();
    EXPECT_TRUE(programs.write(id, with_length(query), now));
    programs.close(id, now);
    exchange();

    server.respond(server.poll_query()->connection, answer, now);

    EXPECT_EQ(heard(id), std::vector<Bytes>{answer});
    pass(1s);
    EXPECT_EQ(last_signal[id], Signal::kClosed);
    EXPECT_EQ(server.connections(), 0U);
}

TEST_F(DnsServerTest, ClosesWhatNobodyUses) {
    const auto id = connect();
    pass(29s);
    EXPECT_EQ(server.connections(), 1U);
    pass(2s);

    EXPECT_EQ(server.connections(), 0U);
    EXPECT_EQ(last_signal[id], Signal::kPeerClosed);
}

TEST_F(DnsServerTest, WaitsForAnAnswerLongerThanForAQuery) {
    const auto id = connect();
    say(id, with_length(query));
    pass(45s);

    server.respond(server.poll_query()->connection, answer, now);

    EXPECT_EQ(heard(id), std::vector<Bytes>{answer});
}

TEST_F(DnsServerTest, ResetsWhoTricklesAQuery) {
    const auto id = connect();
    const auto framed = with_length(query);
    for (std::size_t i = 0; i < framed.size() && server.connections() > 0; ++i) {
        say(id, ByteSpan{framed}.subspan(i, 1));
        pass(2s);
    }

    EXPECT_EQ(last_signal[id], Signal::kReset);
    EXPECT_LE(now, Instant{} + 1h + 33s);
}

TEST_F(DnsServerTest, RefusesTheEleventhConnectionToASentinel) {
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(last_signal[connect()], Signal::kOpened);
    }

    EXPECT_EQ(last_signal[connect()], Signal::kRefused);
    EXPECT_EQ(last_signal[connect(kOtherSentinel)], Signal::kOpened);
}

TEST_F(DnsServerTest, ReadsNoFurtherWhileTooMuchIsUnanswered) {
    const auto id = connect();
    Bytes stream;
    for (std::uint16_t i = 0; i < 300; ++i) {
        append(stream, with_length(dns_message(i, "a.example", false)));
    }
    say(id, stream);
    std::vector<DnsServer::Query> asked;
    const auto take = [&] {
        while (auto next = server.poll_query()) {
            asked.push_back(std::move(*next));
        }
    };
    take();
    EXPECT_EQ(asked.size(), DnsServer::kMaxWaiting);

    for (std::size_t i = 0; i < asked.size(); ++i) {
        auto response = asked[i].message;
        response[2] |= std::byte{0x80};
        server.respond(asked[i].connection, response, now);
        exchange();
        take();
    }

    EXPECT_EQ(asked.size(), 300U);
    EXPECT_EQ(heard(id).size(), 300U);
}

TEST_F(DnsServerTest, HandsOutQueriesOfOneIdOneAfterTheOther) {
    const auto id = connect();
    Bytes stream;
    for (int i = 0; i < 300; ++i) {
        append(stream, with_length(dns_message(7, "a.example", false)));
    }
    append(stream, with_length(dns_message(7, "b.example", false)));
    say(id, stream);
    ASSERT_TRUE(server.poll_query().has_value());
    ASSERT_FALSE(server.poll_query().has_value()) << "nobody could tell whose the next answer is";

    for (int i = 0; i < 299; ++i) {
        server.respond(ConnectionId{1}, dns_message(7, "a.example", true), now);
        pass(20ms);
        ASSERT_TRUE(server.poll_query().has_value()) << i;
    }
    server.respond(ConnectionId{1}, dns_message(7, "a.example", true), now);
    pass(20ms);

    const auto last = server.poll_query();
    ASSERT_TRUE(last.has_value());
    EXPECT_EQ(last->message, dns_message(7, "b.example", false));
    EXPECT_EQ(heard(id).size(), 300U);
}

TEST_F(DnsServerTest, ResetsWhoReadsNoAnswers) {
    const auto id = connect();
    Bytes stream;
    for (std::uint16_t i = 0; i < 10; ++i) {
        append(stream, with_length(dns_message(i, "a.example", false)));
    }
    say(id, stream);
    const auto connection = server.poll_query()->connection;
    for (std::uint16_t i = 0; i < 10; ++i) {
        server.respond(connection, dns_message(i, "a.example", true, 60'000), now);
        exchange();
    }

    EXPECT_EQ(last_signal[id], Signal::kReset);
}

TEST_F(DnsServerTest, ForgetsEverythingIfTheSentinelsChange) {
    const auto id = connect();
    say(id, with_length(query));
    const auto asked = server.poll_query();
    say(id, with_length(dns_message(8, "unread.example", false)));

    server.set_addresses({kSentinel}, now);
    exchange();

    EXPECT_EQ(last_signal[id], Signal::kReset);
    EXPECT_FALSE(server.poll_query().has_value()) << "asked before";
    const auto next = connect();
    server.respond(asked->connection, answer, now);
    EXPECT_TRUE(heard(next).empty()) << "the answer to another connection";
    EXPECT_FALSE(programs.exists(connect(kOtherSentinel)) && last_signal[next] != Signal::kOpened);
}

TEST_F(DnsServerTest, KeepsItsConnectionsIfTheSentinelsStay) {
    connect();
    server.set_addresses({kOtherSentinel, kSentinel}, now);

    EXPECT_EQ(server.connections(), 1U);
}

}  // namespace
}  // namespace culvert::tcp
