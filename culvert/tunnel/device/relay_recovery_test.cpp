#include "culvert/tunnel/device/relay_recovery.h"

#include <gtest/gtest.h>

namespace culvert::tunnel {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
const crypto::PublicKey kKey{};

/// Loses all relays at `now`; how long until the portal is asked, and asks it.
Duration lose_relays(RelayRecovery& recovery, Instant now) {
    EXPECT_FALSE(recovery.handle_timeout(false, kKey, now));
    const auto due = recovery.poll_timeout().value_or(Instant::max());
    EXPECT_FALSE(recovery.handle_timeout(false, kKey, due - 1ns));
    EXPECT_TRUE(recovery.handle_timeout(false, kKey, due));
    EXPECT_EQ(recovery.poll_timeout(), std::nullopt);
    return due - now;
}

TEST(RelayRecovery, AsksSoonAfterTheLastRelayFailed) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    EXPECT_FALSE(recovery.handle_timeout(true, kKey, kStart + 1min));
    EXPECT_EQ(recovery.poll_timeout(), std::nullopt);

    EXPECT_EQ(lose_relays(recovery, kStart + 2min), 1s);
}

TEST(RelayRecovery, AsksLessAndLessOftenForWantOfRelays) {
    RelayRecovery recovery;
    recovery.handle_list(false, kStart);
    const auto asked = [&](Duration from, Duration until) {
        int count = 0;
        for (auto at = from; at < until; at += 100ms) {
            count += recovery.handle_no_relays(kKey, kStart + at) ? 1 : 0;
        }
        return count;
    };
    EXPECT_EQ(asked(0s, 1s), 1);
    EXPECT_EQ(asked(1s, 63s), 5) << "after 1, 3, 7, 15 and 31 s";
    EXPECT_EQ(asked(63s, 363s), 5) << "once a minute";

    EXPECT_TRUE(recovery.handle_no_relays(kKey, kStart + 363s));
    recovery.handle_list(true, kStart + 364s);
    EXPECT_FALSE(recovery.handle_no_relays(kKey, kStart + 372s)) << "they were listed, and did not answer";
    recovery.handle_list(true, kStart + 373s);
    EXPECT_EQ(asked(433s, 434s), 1) << "they have been there for a minute";
    EXPECT_EQ(asked(434s, 437s), 2);
}

TEST(RelayRecovery, AsksOnceForALossAndForWantOfRelays) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    EXPECT_FALSE(recovery.handle_timeout(false, kKey, kStart + 8s));

    EXPECT_TRUE(recovery.handle_no_relays(kKey, kStart + 8500ms));

    EXPECT_EQ(recovery.poll_timeout(), std::nullopt);
}

TEST(RelayRecovery, AsksOnceForEachListOfThePortal) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    lose_relays(recovery, kStart);

    EXPECT_FALSE(recovery.handle_timeout(false, kKey, kStart + 1h));
    EXPECT_EQ(recovery.poll_timeout(), std::nullopt);
}

TEST(RelayRecovery, WaitsLongerWhileTheRelaysStayDead) {
    RelayRecovery recovery;
    auto now = kStart;
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
        recovery.handle_list(true, now);
        now += 8s;
        EXPECT_EQ(lose_relays(recovery, now), expected);
        now += 10min;
    }
}

TEST(RelayRecovery, StartsFromTheBeginningAfterRelaysThatLasted) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    lose_relays(recovery, kStart + 8s);
    recovery.handle_list(true, kStart + 20s);

    EXPECT_EQ(lose_relays(recovery, kStart + 20s + kRelaysProvenAfter), 1s);
}

TEST(RelayRecovery, LeavesRelaysThatThePortalWithdrewToThePortal) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    recovery.handle_list(false, kStart + 1s);

    EXPECT_FALSE(recovery.handle_timeout(false, kKey, kStart + 1h));
    EXPECT_EQ(recovery.poll_timeout(), std::nullopt);
}

TEST(RelayRecovery, ForgetsAnAttemptThatIsNoLongerNeeded) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    EXPECT_FALSE(recovery.handle_timeout(false, kKey, kStart + 1s));

    EXPECT_FALSE(recovery.handle_timeout(true, kKey, kStart + 1min));
    EXPECT_EQ(recovery.poll_timeout(), std::nullopt);
}

TEST(RelayRecovery, SpreadsDevicesByTheirKeys) {
    RelayRecovery recovery;
    recovery.handle_list(true, kStart);
    crypto::PublicKey key;
    key.bytes.front() = std::byte{128};

    EXPECT_FALSE(recovery.handle_timeout(false, key, kStart));

    EXPECT_EQ(recovery.poll_timeout(), kStart + 1500ms);
}

}  // namespace
}  // namespace culvert::tunnel
