#include "culvert/dns/server_health.h"

#include <gtest/gtest.h>

#include "culvert/dns/constants.h"

namespace culvert::dns {
namespace {

using namespace std::chrono_literals;

Upstream server(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

class ServerHealthTest : public testing::Test {
protected:
    ServerHealthTest() { sentinels.update(std::vector{one, two, three}); }

    [[nodiscard]] std::vector<Upstream> order(const Upstream& own) const {
        return health.order(own, sentinels.mappings());
    }

    const Upstream one = server("192.0.2.1:53");
    const Upstream two = server("192.0.2.2:53");
    const Upstream three = server("192.0.2.3:53");
    Sentinels sentinels;
    ServerHealth health;
    Instant now{};
};

TEST_F(ServerHealthTest, AsksTheOwnServerFirst) {
    EXPECT_EQ(order(two), (std::vector{two, one, three}));
}

TEST_F(ServerHealthTest, AsksSilentServersLast) {
    health.failed(one, now, now);
    EXPECT_EQ(order(one), (std::vector{two, three, one}));
    health.failed(three, now, now);
    EXPECT_EQ(order(three), (std::vector{two, three, one}));

    health.answered(one, now);

    EXPECT_EQ(order(one), (std::vector{one, two, three}));
}

TEST_F(ServerHealthTest, DoesNotTakeASlowNameForASilentServer) {
    const auto asked_at = now;
    now += 1s;
    health.answered(one, now);
    now += 1s;
    health.failed(one, asked_at, now);
    EXPECT_FALSE(health.is_silent(one));
    health.failed(one, now, now);
    EXPECT_TRUE(health.is_silent(one));
}

TEST_F(ServerHealthTest, TriesSilentServersOnceInAWhile) {
    EXPECT_FALSE(health.take_probe(one, now));
    health.failed(one, now, now);
    EXPECT_FALSE(health.take_probe(one, now + kProbeInterval - 1ns));
    EXPECT_TRUE(health.take_probe(one, now + kProbeInterval));
    EXPECT_FALSE(health.take_probe(one, now + kProbeInterval));
    EXPECT_TRUE(health.take_probe(one, now + 2 * kProbeInterval));
}

}  // namespace
}  // namespace culvert::dns
