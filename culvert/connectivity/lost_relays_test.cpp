#include "culvert/connectivity/lost_relays.h"

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/connectivity/constants.h"

namespace culvert::connectivity {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

RelayServer relay(std::uint64_t number) {
    auto rng = Rng::from_number(number);
    return {.id = RelayId::random(rng), .v4 = {}, .v6 = {}, .username = "u", .password = "p"};
}

TEST(LostRelays, AreTriedLessAndLessOften) {
    LostRelays lost;
    auto now = kStart;
    for (const auto pause : {10s, 20s, 40s, 80s, 160s, 320s, 600s, 600s}) {
        lost.add(relay(1), now);
        EXPECT_TRUE(lost.take_due(now + pause - 1ms).empty());
        now += pause;
        EXPECT_EQ(lost.next(), now);
        EXPECT_EQ(lost.take_due(now), std::vector{relay(1)});
        EXPECT_TRUE(lost.contains(relay(1).id)) << "while it is tried";
        EXPECT_EQ(lost.next(), std::nullopt);
    }
}

TEST(LostRelays, OneThatAnsweredBeginsAnew) {
    LostRelays lost;
    lost.add(relay(1), kStart);
    (void)lost.take_due(kStart + 10s);
    lost.add(relay(1), kStart + 10s);
    lost.erase(relay(1).id);
    EXPECT_TRUE(lost.empty());
    lost.add(relay(1), kStart + 20s);
    EXPECT_EQ(lost.next(), kStart + 20s + kFirstRelayRetry);
}

TEST(LostRelays, ThoseThatThePortalDoesNotListAreForgotten) {
    LostRelays lost;
    lost.add(relay(1), kStart);
    lost.add(relay(2), kStart);
    lost.keep_only(std::vector{relay(2), relay(3)});
    EXPECT_FALSE(lost.contains(relay(1).id));
    EXPECT_TRUE(lost.contains(relay(2).id));
}

TEST(LostRelays, InAnotherNetworkAllAreTriedAtOnce) {
    LostRelays lost;
    for (const auto at : {0s, 10s, 30s}) {
        lost.add(relay(1), kStart + at);
        (void)lost.take_due(kStart + at + 1h);
    }
    lost.add(relay(1), kStart + 70s);
    lost.add(relay(2), kStart + 70s);
    lost.handle_network_change(kStart + 71s);
    EXPECT_EQ(lost.take_due(kStart + 71s).size(), 2U);
    lost.handle_network_change(kStart + 72s);
    EXPECT_EQ(lost.next(), std::nullopt) << "while they are tried";
    lost.add(relay(1), kStart + 73s);
    EXPECT_EQ(lost.next(), kStart + 73s + 2 * kFirstRelayRetry) << "its pause began anew";
}

}  // namespace
}  // namespace culvert::connectivity
