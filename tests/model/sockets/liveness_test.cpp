// The loop goes on when there is something to do, and only then.

#include <gtest/gtest.h>

#include "tests/model/sockets/test_rig.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kV4 = 1;
constexpr std::uint16_t kV6 = 2;

TEST(Liveness, AnIdleLoopOnlyWakesForItsTimer) {
    TestRig rig{1};
    rig.start();
    rig.path.start_timer(1s, rig.now);
    rig.loop.run(rig.now);
    const auto before = rig.loop.turns();

    rig.run_for(60s);

    EXPECT_EQ(rig.path.timeouts, 60U);
    EXPECT_EQ(rig.path.latest_timeout, 0s);
    EXPECT_EQ(rig.loop.turns() - before, 60U);
}

TEST(Liveness, WithoutTimerItDoesNotWakeAtAll) {
    TestRig rig{1};
    rig.start();
    EXPECT_EQ(rig.loop.poll_timeout(), std::nullopt);
}

TEST(Liveness, TheTunIsNotReadWhileASocketIsBlocked) {
    for (const auto& [flow, family] : {std::pair{kV4, net::Family::kIpv4}, std::pair{kV6, net::Family::kIpv6}}) {
        TestRig rig{1};
        rig.start();
        rig.loop.kernel().block(family, rig.now + 50ms);
        rig.submit({flow, 0});
        rig.run_for(1ms);
        for (std::uint64_t i = 1; i < 200; ++i) {
            rig.submit({flow, i});
        }
        rig.run_for(48ms);
        EXPECT_EQ(rig.path.from_tun.size(), 1U);
        EXPECT_TRUE(rig.sent.empty());

        rig.run_for(2ms);
        EXPECT_EQ(rig.sent.size(), 200U);
        EXPECT_EQ(find_reordered(rig.sent), std::nullopt);
    }
}

TEST(Liveness, ABlockedSocketDoesNotKeepTheLoopAwake) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().block(net::Family::kIpv4, rig.now + 10s);
    for (std::uint64_t i = 0; i < 200; ++i) {
        rig.submit({kV4, i});
    }
    rig.loop.run(rig.now);
    const auto before = rig.loop.turns();

    rig.run_for(9s);

    EXPECT_EQ(rig.loop.turns(), before);
}

TEST(Liveness, DatagramsAreReceivedWhileASocketIsBlocked) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().block(net::Family::kIpv4, rig.now + 10s);
    rig.submit({kV4, 1});
    rig.run_for(1ms);
    rig.deliver({kV4, 1});
    rig.deliver({kV6, 1});

    rig.run_for(1ms);

    EXPECT_EQ(rig.delivered.size(), 2U);
}

/// Whatever there is to read is there again at once: from the TUN, from the sockets, or both.
struct Saturation {
    bool tun;
    bool udp;
};
class Saturated : public testing::TestWithParam<Saturation> {};

TEST_P(Saturated, TimersCommandsAndControlDatagramsKeepTheirTime) {
    // Builds with sanitizers are not optimised: there the same takes many times as long.
#ifdef NDEBUG
    constexpr unsigned kTurns = 3000;
#else
    constexpr unsigned kTurns = 300;
#endif
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().set_faults({.coalesced_receive = 1000, .tun_super_packet = 1000});
    rig.path.start_timer(5ms, rig.now);
    std::uint64_t number = 0;
    std::uint64_t controls = 0;
    std::size_t longest_queue = 0;
    for (unsigned turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < 300; ++i) {
            if (GetParam().tun) {
                rig.submit({kV4, number++}, 1200);
            }
            if (GetParam().udp) {
                rig.deliver({kV6, number++}, 1200);
            }
        }
        if (turn % 10 == 0) {
            rig.path.post_command(rig.now);
            rig.path.send({{std::nullopt, peer_of(kV6)}, net::Ecn::kNotEct, Bytes(20)});
            ++controls;
        }
        rig.turn(300us);  // what a turn takes on a slow machine
        longest_queue = std::max<std::size_t>(longest_queue, controls - rig.others);
    }

    EXPECT_EQ(rig.path.commands, kTurns / 10);
    EXPECT_LE(rig.path.latest_command, 1ms);
    EXPECT_GE(rig.path.timeouts, kTurns * 13 / 300);
    EXPECT_LE(rig.path.latest_timeout, 2ms);
    EXPECT_EQ(rig.others, controls);
    EXPECT_LE(longest_queue, 1U);
    EXPECT_GT(rig.sent.size() + rig.delivered.size(), kTurns * 33);
}

INSTANTIATE_TEST_SUITE_P(All, Saturated,
                         testing::Values(Saturation{true, false}, Saturation{false, true}, Saturation{true, true}));

TEST(Liveness, ARemovedTunEndsTheLoopWithAReason) {
    TestRig rig{1};
    rig.start();
    rig.loop.kernel().remove_tun();
    rig.run_for(1ms);
    EXPECT_TRUE(rig.loop.has_ended());
    ASSERT_TRUE(rig.loop.error());
    EXPECT_NE(rig.loop.error()->find("tun-model"), std::string::npos);
}

}  // namespace
}  // namespace culvert::model
