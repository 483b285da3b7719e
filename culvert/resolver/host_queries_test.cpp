#include "culvert/resolver/host_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <set>

#include "culvert/dns/test_messages.h"
#include "culvert/resolver/constants.h"
#include "culvert/resolver/testing/loop.h"
#include "culvert/resolver/testing/servers.h"
#include "culvert/tcp/message_reader.h"

namespace culvert::resolver {
namespace {

using namespace std::chrono_literals;
using dns::AskId;
using dns::Transport;
using dns::test::a_record;
using test::Loop;
using test::TcpServer;
using test::UdpServer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr AskId kAsk{7};

class HostQueriesTest : public ::testing::Test {
protected:
    /// The query that has arrived at `server`.
    UdpServer::Datagram await(UdpServer& server) {
        std::optional<UdpServer::Datagram> datagram;
        EXPECT_TRUE(loop_.run_until([&] { return (datagram = server.receive()).has_value(); }));
        return datagram.value_or(UdpServer::Datagram{});
    }
    /// The connection, once the query is complete.
    TcpServer::Stream await(TcpServer& server) {
        std::optional<TcpServer::Stream> stream;
        EXPECT_TRUE(loop_.run_until([&] {
            stream = stream ? std::move(stream) : server.accept();
            return stream && stream->received().size() == 2 + query_.size();
        }));
        return std::move(stream).value();
    }
    bool await_response(std::size_t count = 1) {
        return loop_.run_until([&] { return results_.has_response(kAsk, count); });
    }
    bool await_failure() {
        return loop_.run_until([&] { return !results_.failures.empty(); });
    }

    Loop loop_;
    test::Results results_;
    HostQueries queries_{loop_.context(), std::nullopt, results_.observer()};
    Bytes query_ = dns::test::query("www.example.com");
    Bytes response_ = dns::test::response(query_, {a_record("www.example.com", 60, "192.0.2.1")});
};

TEST_F(HostQueriesTest, PassesOnTheQueryAsItIsAndTheResponse) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);

    const auto datagram = await(server);
    EXPECT_EQ(datagram.bytes, query_);
    server.send(datagram.from, response_);

    ASSERT_TRUE(await_response());
    EXPECT_THAT(results_.responses[kAsk], ElementsAre(response_));
    queries_.stop(kAsk);
    EXPECT_EQ(queries_.size(), 0U);
}

TEST_F(HostQueriesTest, AsksServersOfEitherFamily) {
    UdpServer server{{*net::IpAddress::parse("::1"), 0}};
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);

    server.send(await(server).from, response_);

    EXPECT_TRUE(await_response());
}

TEST_F(HostQueriesTest, TakesTheLongestResponse) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);
    auto longest = response_;
    longest.resize(65'507);

    server.send(await(server).from, longest);

    ASSERT_TRUE(await_response());
    EXPECT_EQ(results_.responses[kAsk].front(), longest);
}

TEST_F(HostQueriesTest, HearsNobodyButTheServer) {
    UdpServer server;
    UdpServer other;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);
    const auto to = await(server).from;

    other.send(to, response_);
    loop_.run_for(20ms);
    EXPECT_THAT(results_.responses, IsEmpty());

    server.send(to, response_);
    EXPECT_TRUE(await_response());
    EXPECT_THAT(results_.failures, IsEmpty());
}

TEST_F(HostQueriesTest, GoesOnListeningAfterMessagesWithAnotherId) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);
    const auto to = await(server).from;

    server.send(to, dns::with_id(response_, 0x4321));
    server.send(to, query_);
    server.send(to, {});
    server.send(to, response_);

    ASSERT_TRUE(await_response());
    EXPECT_THAT(results_.responses[kAsk], ElementsAre(response_));
    EXPECT_THAT(results_.failures, IsEmpty());
}

TEST_F(HostQueriesTest, GoesOnListeningAfterAResponseThatWasNotGoodEnough) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);
    const auto to = await(server).from;

    server.send(to, response_);
    ASSERT_TRUE(await_response());
    server.send(to, response_);

    EXPECT_TRUE(await_response(2));
}

TEST_F(HostQueriesTest, EndsWithAServerThatFloods) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);
    const auto to = await(server).from;

    for (unsigned i = 0; i <= kMaxResponses; ++i) {
        server.send(to, response_);
    }

    EXPECT_TRUE(await_failure());
    EXPECT_EQ(results_.responses[kAsk].size(), kMaxResponses);
    EXPECT_EQ(queries_.size(), 0U);
}

TEST_F(HostQueriesTest, SaysNothingMoreAfterStop) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, query_);
    const auto to = await(server).from;
    server.send(to, response_);

    queries_.stop(kAsk);
    loop_.run_for(20ms);

    EXPECT_THAT(results_.responses, IsEmpty());
    EXPECT_THAT(results_.failures, IsEmpty());
}

TEST_F(HostQueriesTest, MayBeStoppedByWhoeverHearsTheResponse) {
    UdpServer server;
    int responses = 0;
    HostQueries queries{loop_.context(),
                        std::nullopt,
                        {.on_response =
                             [&](AskId id, const Bytes&) {
                                 ++responses;
                                 queries.stop(id);
                             },
                         .on_failure = [](AskId) { FAIL(); }}};
    queries.ask(kAsk, server.address(), Transport::kUdp, query_);
    const auto to = await(server).from;

    server.send(to, response_);
    server.send(to, response_);
    loop_.run_for(20ms);

    EXPECT_EQ(responses, 1);
}

TEST_F(HostQueriesTest, FailsWhereNobodyListens) {
    const auto address = UdpServer{}.address();
    queries_.ask(kAsk, address, Transport::kUdp, query_);

    EXPECT_TRUE(await_failure());
    EXPECT_EQ(queries_.size(), 0U);
}

TEST_F(HostQueriesTest, FailsAtOnceWithoutARoute) {
    queries_.ask(kAsk, *net::SocketAddress::parse("255.255.255.255:53"), Transport::kUdp, query_);

    EXPECT_THAT(results_.failures, ElementsAre(kAsk));
}

TEST_F(HostQueriesTest, SendsNothingThatIsNoMessage) {
    UdpServer server;
    queries_.ask(kAsk, server.address(), Transport::kUdp, ByteSpan{query_}.first(11));
    queries_.ask(kAsk, server.address(), Transport::kTcp, Bytes(65'536));

    EXPECT_THAT(results_.failures, ElementsAre(kAsk, kAsk));
}

TEST_F(HostQueriesTest, AsksFromAnotherPortEachTime) {
    UdpServer server;
    std::set<std::uint16_t> ports;
    for (std::uint64_t i = 0; i < 50; ++i) {
        queries_.ask({i}, server.address(), Transport::kUdp, query_);
        ports.insert(await(server).from.port);
        queries_.stop({i});
    }
    EXPECT_GT(ports.size(), 40U);
}

TEST_F(HostQueriesTest, LimitsOpenQueries) {
    UdpServer server;
    for (std::uint64_t i = 0; i < kMaxHostQueries / 2; ++i) {
        // Fewer descriptors may be had here than queries; those beyond the first ones are shared.
        queries_.ask({i}, server.address(), Transport::kUdp, query_);
    }
    if (!results_.failures.empty()) {
        GTEST_SKIP() << "the limit of descriptors is lower";
    }
    for (std::uint64_t i = kMaxHostQueries / 2; i <= kMaxHostQueries; ++i) {
        queries_.ask({i}, server.address(), Transport::kUdp, query_);
    }
    EXPECT_LE(queries_.size(), kMaxHostQueries);
    ASSERT_FALSE(results_.failures.empty());
    EXPECT_EQ(results_.failures.back(), AskId{kMaxHostQueries});
}

TEST_F(HostQueriesTest, MarksItsSockets) {
    constexpr std::uint32_t kMark = 0xfd002021;
    UdpServer server;
    TcpServer tcp_server;
    HostQueries queries{loop_.context(), kMark, results_.observer()};
    queries.ask({1}, server.address(), Transport::kUdp, query_);
    queries.ask({2}, tcp_server.address(), Transport::kTcp, query_);
    if (::geteuid() != 0) {
        EXPECT_THAT(results_.failures, ElementsAre(AskId{1}, AskId{2})) << "unmarked it must not be sent";
        return;
    }
    std::set<std::uint16_t> ports{await(server).from.port};
    int marked = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        std::uint32_t mark = 0;
        socklen_t size = sizeof mark;
        marked += ::getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &size) == 0 && mark == kMark ? 1 : 0;
    }
    EXPECT_EQ(marked, 2);
}

TEST_F(HostQueriesTest, AsksOverTcpBehindTheLength) {
    TcpServer server;
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);

    auto stream = await(server);
    EXPECT_EQ(stream.received(), tcp::with_length(query_));
    stream.send(tcp::with_length(response_));

    ASSERT_TRUE(await_response());
    EXPECT_THAT(results_.responses[kAsk], ElementsAre(response_));
    EXPECT_TRUE(loop_.run_until([&] { return stream.is_ended(); })) << "one query, one response, close";
    EXPECT_EQ(queries_.size(), 0U);
}

TEST_F(HostQueriesTest, TakesAResponseInPieces) {
    TcpServer server;
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);
    auto stream = await(server);
    auto longest = response_;
    longest.resize(65'535);
    const auto framed = tcp::with_length(longest);

    for (const auto& [begin, end] : {std::pair{0, 1}, {1, 2}, {2, 9}, {9, 40'000}, {40'000, 65'537}}) {
        stream.send(ByteSpan{framed}.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
        loop_.run_for(3ms);
    }

    ASSERT_TRUE(await_response());
    EXPECT_THAT(results_.responses[kAsk], ElementsAre(longest));
}

TEST_F(HostQueriesTest, SendsTheLongestQueryOverTcp) {
    TcpServer server;
    query_.resize(65'535);
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);

    auto stream = await(server);

    EXPECT_EQ(stream.received(), tcp::with_length(query_));
}

TEST_F(HostQueriesTest, FailsIfTheConnectionEndsBeforeTheResponse) {
    TcpServer server;
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);
    {
        auto stream = await(server);
        stream.send(ByteSpan{tcp::with_length(response_)}.first(20));
    }
    EXPECT_TRUE(await_failure());
    EXPECT_THAT(results_.responses, IsEmpty());
}

TEST_F(HostQueriesTest, FailsOverTcpWithALengthThatNoMessageHas) {
    TcpServer server;
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);
    auto stream = await(server);

    stream.send(Bytes(2));

    EXPECT_TRUE(await_failure());
}

TEST_F(HostQueriesTest, FailsOverTcpWithAnotherId) {
    TcpServer server;
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);
    auto stream = await(server);

    stream.send(tcp::with_length(dns::with_id(response_, 0x4321)));

    EXPECT_TRUE(await_failure());
    EXPECT_THAT(results_.responses, IsEmpty());
}

TEST_F(HostQueriesTest, FailsIfTheConnectionIsRefused) {
    const auto address = TcpServer{}.address();
    queries_.ask(kAsk, address, Transport::kTcp, query_);

    EXPECT_TRUE(await_failure());
    EXPECT_EQ(queries_.size(), 0U);
}

TEST_F(HostQueriesTest, ClosesTheConnectionWhenItIsStopped) {
    TcpServer server;
    queries_.ask(kAsk, server.address(), Transport::kTcp, query_);
    auto stream = await(server);

    queries_.stop(kAsk);

    EXPECT_TRUE(loop_.run_until([&] { return stream.is_ended(); }));
    EXPECT_THAT(results_.failures, IsEmpty());
}

}  // namespace
}  // namespace culvert::resolver
