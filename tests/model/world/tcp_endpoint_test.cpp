#include "tests/model/world/tcp_endpoint.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

const net::SocketAddress kClient{*net::IpAddress::parse("100.64.0.1"), 40000};
const net::SocketAddress kServer{*net::IpAddress::parse("10.0.0.1"), 80};

/// Two ends with a path of 20 ms between them that loses `loss` per cent.
class Pair {
public:
    explicit Pair(unsigned loss, std::uint64_t seed = 1)
        : client{TcpEndpoint::connect(kClient, kServer, 0xfffffff0, now)}, loss_{loss}, rng_{Rng::from_number(seed)} {}

    void run_for(Duration time) {
        const auto end = now + time;
        for (;;) {
            collect(client);
            if (server) {
                collect(*server);
            }
            auto next = flights_.empty() ? end + 1ns : flights_.begin()->first;
            next = std::min(next, client.poll_timeout().value_or(next));
            if (server) {
                next = std::min(next, server->poll_timeout().value_or(next));
            }
            if (next > end) {
                now = end;
                return;
            }
            now = std::max(now, next);
            deliver_due();
            client.handle_timeout(now);
            if (server) {
                server->handle_timeout(now);
            }
        }
    }

    Instant now{1h};
    TcpEndpoint client;
    std::optional<TcpEndpoint> server;

private:
    void collect(TcpEndpoint& from) {
        while (auto packet = from.poll_packet()) {
            if (rng_.below(100) >= loss_) {
                flights_.emplace(now + 20ms, std::move(*packet));
            }
        }
    }
    void deliver_due() {
        while (!flights_.empty() && flights_.begin()->first <= now) {
            auto bytes = std::move(flights_.begin()->second);
            flights_.erase(flights_.begin());
            const auto packet = packet::IpPacket::parse(bytes);
            ASSERT_TRUE(packet);
            ASSERT_TRUE(packet->checksums_are_valid());
            if (packet->destination() == kClient.ip) {
                client.handle_packet(*packet, now);
            } else if (server) {
                server->handle_packet(*packet, now);
            } else {
                server = TcpEndpoint::accept(*packet, 77, now);
            }
        }
    }

    unsigned loss_;
    Rng rng_;
    std::multimap<Instant, Bytes> flights_;
};

Bytes pattern(std::size_t length) {
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; ++i) {
        bytes[i] = static_cast<std::byte>(i * 31 + i / 251);
    }
    return bytes;
}

TEST(TcpEndpoint, MovesBytesBothWaysAndCloses) {
    Pair pair{0};
    pair.client.send(pattern(100), pair.now);
    pair.client.finish(pair.now);
    pair.run_for(1s);
    ASSERT_TRUE(pair.server);
    pair.server->send(pattern(50'000), pair.now);
    pair.server->finish(pair.now);

    pair.run_for(10s);

    EXPECT_TRUE(equal(pair.server->received(), pattern(100)));
    EXPECT_TRUE(equal(pair.client.received(), pattern(50'000)));
    EXPECT_TRUE(pair.client.has_sent_all() && pair.client.has_peer_finished());
    EXPECT_TRUE(pair.server->has_sent_all() && pair.server->has_peer_finished());
    EXPECT_EQ(pair.client.poll_timeout(), std::nullopt);
}

TEST(TcpEndpoint, SurvivesLoss) {
    for (std::uint64_t seed = 1; seed < 20; ++seed) {
        Pair pair{20, seed};
        pair.client.send(pattern(20'000), pair.now);
        pair.client.finish(pair.now);

        pair.run_for(10min);

        ASSERT_TRUE(pair.server) << seed;
        EXPECT_TRUE(equal(pair.server->received(), pattern(20'000))) << seed;
        EXPECT_TRUE(pair.server->has_peer_finished()) << seed;
        EXPECT_TRUE(pair.client.has_sent_all()) << seed;
    }
}

TEST(TcpEndpoint, FailsWhereNobodyAnswersButNotBefore) {
    Pair pair{100};

    pair.run_for(10min);
    EXPECT_FALSE(pair.client.has_failed());

    pair.run_for(10min);
    EXPECT_TRUE(pair.client.has_failed());
}

}  // namespace
}  // namespace culvert::model
