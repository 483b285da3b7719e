#include "culvert/tcp/dns_client.h"

#include <gtest/gtest.h>

#include "culvert/base/sans_io.h"
#include "culvert/packet/builder.h"
#include "culvert/tcp/constants.h"
#include "culvert/tcp/testing/dns_text.h"

namespace culvert::tcp {
namespace {

using namespace std::chrono_literals;
using test::dns_message;

static_assert(SansIo<DnsClient>);

const auto kResolver = net::SocketAddress::parse("10.0.0.53:53").value();
const auto kLocal = net::IpAddress::parse("100.64.0.1").value();

/// The client and a resolver that does as the test says.
class DnsClientTest : public ::testing::Test {
protected:
    struct Asked {
        ConnectionId connection;
        Bytes message;
    };

    void SetUp() override {
        client.set_local_addresses(kLocal, std::nullopt, now);
        resolver.listen(kResolver);
    }

    void exchange() {
        for (bool is_moving = true; is_moving;) {
            is_moving = false;
            while (auto packet = client.poll_transmit()) {
                is_moving = true;
                if (is_reachable) {
                    resolver.handle_packet(packet::IpPacket::parse(*packet).value(), Checksums::kVerify, now);
                }
            }
            while (auto packet = resolver.poll_transmit()) {
                is_moving = true;
                if (is_reachable) {
                    client.handle_packet(packet::IpPacket::parse(*packet).value(), Checksums::kVerify, now);
                }
            }
            while (const auto event = resolver.poll_event()) {
                if (event->signal == Signal::kOpened) {
                    ++connections;
                }
                auto& reader = readers[event->connection];
                std::size_t taken = 1;
                while (taken > 0 && !resolver.readable(event->connection).empty()) {
                    if (auto message = reader.read(resolver.readable(event->connection), taken)) {
                        asked.push_back({event->connection, std::move(*message)});
                    }
                    resolver.consume(event->connection, taken, now);
                }
                if (event->signal == Signal::kPeerClosed) {
                    resolver.close(event->connection, now);
                    ++closed;
                }
            }
        }
    }
    void pass(Duration time) {
        const auto end = now + time;
        while (true) {
            exchange();
            const auto next = earliest(client.poll_timeout(), resolver.poll_timeout());
            if (!next || *next > end) {
                break;
            }
            now = std::max(now, *next);
            client.handle_timeout(now);
            resolver.handle_timeout(now);
        }
        now = end;
    }
    QueryId ask(std::uint16_t id, std::string_view name = "www.example.org") {
        const auto query = client.ask(kResolver, dns_message(id, name, false), now);
        exchange();
        return query;
    }
    void answer(const Asked& to, std::string_view name = "www.example.org", std::size_t padding = 0) {
        const auto message = dns_message(load_be<std::uint16_t>(to.message), name, true, padding);
        EXPECT_TRUE(resolver.write(to.connection, with_length(message), now));
        exchange();
    }
    std::map<QueryId, Bytes> answers() {
        std::map<QueryId, Bytes> all;
        while (auto next = client.poll_answer()) {
            EXPECT_FALSE(all.contains(next->query));
            all.emplace(next->query, std::move(next->message));
        }
        return all;
    }

    Instant now = Instant{} + 1h;
    DnsClient client{Rng::from_number(1)};
    Endpoints resolver{{.per_listener = 1000, .per_peer = 1000}, Rng::from_number(2)};
    std::map<ConnectionId, MessageReader> readers;
    std::vector<Asked> asked;
    int connections = 0;
    int closed = 0;
    bool is_reachable = true;
};

TEST_F(DnsClientTest, AsksAndGetsAnAnswerUnderItsOwnId) {
    const auto query = ask(1);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_NE(load_be<std::uint16_t>(asked[0].message), 1) << "ids on the wire are ours";
    EXPECT_TRUE(
        equal(ByteSpan{asked[0].message}.subspan(2), ByteSpan{dns_message(1, "www.example.org", false)}.subspan(2)));

    answer(asked[0]);

    EXPECT_EQ(answers()[query], dns_message(1, "www.example.org", true));
}

TEST_F(DnsClientTest, SendsAllQueriesOverOneConnectionUnderDifferentIds) {
    std::vector<QueryId> queries;
    for (int i = 0; i < 50; ++i) {
        queries.push_back(ask(1));
    }
    ASSERT_EQ(asked.size(), 50U);
    std::set<std::uint16_t> ids;
    for (const auto& one : asked) {
        ids.insert(load_be<std::uint16_t>(one.message));
    }
    EXPECT_EQ(ids.size(), 50U);
    EXPECT_EQ(connections, 1);

    for (std::size_t i = asked.size(); i-- > 0;) {
        answer(asked[i]);
    }

    EXPECT_EQ(answers().size(), 50U);
}

TEST_F(DnsClientTest, TakesTheLongestAnswerThereIs) {
    const auto query = ask(1);
    const auto shortest = dns_message(1, "www.example.org", true).size();

    answer(asked[0], "www.example.org", 65'535 - shortest);

    EXPECT_EQ(answers()[query].size(), 65'535U);
}

TEST_F(DnsClientTest, AcceptsAnotherSpellingOfTheNameOnly) {
    const auto query = ask(1);
    answer(asked[0], "WWW.Example.org");
    EXPECT_FALSE(answers()[query].empty());

    const auto next = ask(2);
    answer(asked[1], "www.example.com");

    EXPECT_EQ(answers()[next], Bytes{}) << "that was not asked";
}

TEST_F(DnsClientTest, ListensNoLongerToWhoAnswersWhatItWasNotAsked) {
    const auto one = ask(1);
    const auto two = ask(2);
    auto wrong = asked[0];
    while (load_be<std::uint16_t>(wrong.message) == load_be<std::uint16_t>(asked[0].message) ||
           load_be<std::uint16_t>(wrong.message) == load_be<std::uint16_t>(asked[1].message)) {
        wrong.message[0] ^= std::byte{1};
        wrong.message[1] ^= std::byte{2};
    }

    answer(wrong);

    const auto all = answers();
    EXPECT_EQ(all.size(), 2U);
    EXPECT_EQ(all.at(one), Bytes{});
    EXPECT_EQ(all.at(two), Bytes{});
    EXPECT_FALSE(resolver.exists(wrong.connection)) << "reset";
}

TEST_F(DnsClientTest, ListensNoLongerToWhoTalksNonsense) {
    for (const auto* nonsense : {"0001ff", "0000"}) {
        asked.clear();
        const auto query = ask(1);
        EXPECT_TRUE(resolver.write(asked.at(0).connection, *from_hex(nonsense), now));
        exchange();
        EXPECT_EQ(answers().at(query), Bytes{});
    }
    asked.clear();
    const auto query = ask(1);
    EXPECT_TRUE(resolver.write(asked.at(0).connection, with_length(asked[0].message), now));
    exchange();
    EXPECT_EQ(answers().at(query), Bytes{}) << "its own query is no answer";
}

TEST_F(DnsClientTest, ClosesAConnectionOnWhichTooMuchIsNeverAnswered) {
    for (std::size_t i = 0; i < DnsClient::kMaxQueries; ++i) {
        ask(1);
    }
    pass(kDnsQueryTime);
    EXPECT_EQ(answers().size(), DnsClient::kMaxQueries);

    EXPECT_EQ(closed, 1);
    ask(1);
    EXPECT_EQ(connections, 2);
}

TEST_F(DnsClientTest, TakesAnErrorWithoutAQuestion) {
    const auto query = ask(1);
    Bytes refused = asked[0].message;
    refused.resize(12);
    refused[2] = std::byte{0x81};
    refused[3] = std::byte{0x05};
    refused[5] = std::byte{0};

    EXPECT_TRUE(resolver.write(asked[0].connection, with_length(refused), now));
    exchange();

    EXPECT_FALSE(answers().at(query).empty());
}

TEST_F(DnsClientTest, GivesUpOnAQueryAfterTenSeconds) {
    const auto query = ask(1);
    pass(9999ms);
    EXPECT_TRUE(answers().empty());
    pass(1ms);

    EXPECT_EQ(answers().at(query), Bytes{});
}

TEST_F(DnsClientTest, AnAnswerThatComesTooLateDisturbsNobody) {
    ask(1);
    pass(8s);
    const auto next = ask(2);
    pass(3s);
    answers();

    answer(asked[0]);
    answer(asked[1]);

    const auto all = answers();
    EXPECT_EQ(all.size(), 1U);
    EXPECT_FALSE(all.at(next).empty());
}

TEST_F(DnsClientTest, AsksAgainIfTheResolverClosesTheConnectionUnderAQuery) {
    const auto query = ask(1);
    resolver.close(asked[0].connection, now);
    exchange();
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_EQ(connections, 2);

    answer(asked[1]);

    EXPECT_FALSE(answers().at(query).empty());
}

TEST_F(DnsClientTest, AsksOnlyOnceMore) {
    const auto query = ask(1);
    resolver.abort(asked.at(0).connection, now);
    exchange();
    resolver.abort(asked.at(1).connection, now);
    exchange();

    EXPECT_EQ(asked.size(), 2U);
    EXPECT_EQ(answers().at(query), Bytes{});
}

TEST_F(DnsClientTest, TakesAnswersThatComeWithTheEndOfTheConnection) {
    const auto query = ask(1);
    const auto message = dns_message(load_be<std::uint16_t>(asked[0].message), "www.example.org", true);
    EXPECT_TRUE(resolver.write(asked[0].connection, with_length(message), now));
    resolver.close(asked[0].connection, now);
    exchange();

    EXPECT_FALSE(answers().at(query).empty());
    EXPECT_EQ(asked.size(), 1U);
}

TEST_F(DnsClientTest, FailsAtOnceWhereNobodyListens) {
    resolver.stop_listening(kResolver);
    resolver.listen({kResolver.ip, 54});
    const auto query = client.ask(kResolver, dns_message(1, "a.example", false), now);
    auto syn = client.poll_transmit().value();
    const auto route = route_of(packet::IpPacket::parse(syn).value());
    auto refusal = make_packet(route, *refusal_of(read_segment(packet::IpPacket::parse(syn).value())));
    client.handle_packet(packet::IpPacket::parse(refusal).value(), Checksums::kVerify, now);

    EXPECT_EQ(answers().at(query), Bytes{});
}

TEST_F(DnsClientTest, FailsWithoutAnAddressOfTheFamily) {
    const auto query =
        client.ask(*net::SocketAddress::parse("[2001:db8::53]:53"), dns_message(1, "a.example", false), now);

    EXPECT_EQ(answers().at(query), Bytes{});
}

TEST_F(DnsClientTest, FindsAnotherWayIfTheOldOneLeadsNowhere) {
    ask(1);
    answer(asked[0]);
    answers();
    is_reachable = false;
    ask(2);
    pass(10s);
    EXPECT_EQ(answers().size(), 1U);

    is_reachable = true;
    const auto query = ask(3);
    answer(asked.back());

    EXPECT_FALSE(answers().at(query).empty());
    EXPECT_EQ(connections, 2);
}

TEST_F(DnsClientTest, ClosesAConnectionThatNobodyUses) {
    ask(1);
    answer(asked[0]);
    pass(9s);
    EXPECT_EQ(closed, 0);
    pass(2s);
    EXPECT_EQ(closed, 1);

    ask(2);
    EXPECT_EQ(connections, 2);
}

TEST_F(DnsClientTest, FailsAllIfThingsChange) {
    const auto one = ask(1);
    const auto two = ask(2);

    client.set_local_addresses(net::IpAddress::parse("100.64.0.9").value(), std::nullopt, now);
    exchange();

    const auto all = answers();
    EXPECT_EQ(all.at(one), Bytes{});
    EXPECT_EQ(all.at(two), Bytes{});
    EXPECT_FALSE(resolver.exists(asked[0].connection));
}

TEST_F(DnsClientTest, LeavesOtherConnectionsToTheSameResolverAlone) {
    ask(1);
    auto foreign = packet::make_tcp(kResolver, {kLocal, 1234}, {.flags = packet::kTcpAck}, {});

    EXPECT_FALSE(client.handle_packet(packet::IpPacket::parse(foreign).value(), Checksums::kVerify, now));
    EXPECT_EQ(client.poll_transmit(), std::nullopt);
}

TEST_F(DnsClientTest, FailsWhatIsTooMuch) {
    is_reachable = false;
    for (std::size_t i = 0; i < DnsClient::kMaxQueries; ++i) {
        ask(1);
    }
    EXPECT_TRUE(answers().empty());

    const auto query = ask(1);

    EXPECT_EQ(answers().at(query), Bytes{});
    pass(10s);
    EXPECT_EQ(answers().size(), DnsClient::kMaxQueries);
}

TEST_F(DnsClientTest, ComesToRest) {
    for (int i = 0; i < 10; ++i) {
        ask(1);
        if (i % 3 != 0) {
            answer(asked.back());
        }
    }
    pass(10min);

    EXPECT_EQ(answers().size(), 10U);
    EXPECT_EQ(client.poll_timeout(), std::nullopt);
}

}  // namespace
}  // namespace culvert::tcp
